"""What every graph goes through before it is written to a file."""

import onnx_ir as ir
import onnx_ir.passes.common as passes

IR_VERSION = 10


def clean(model: ir.Model) -> None:
    """Nodes in order, and none that is of no use."""
    for one in (
        passes.TopologicalSortPass(),
        passes.IdentityEliminationPass(),
        passes.RemoveUnusedNodesPass(),
    ):
        one(model)


def serialised(model: ir.Model) -> bytes:
    model.ir_version = IR_VERSION
    model.producer_name = "gatewise"
    model.metadata_props.clear()
    content: bytes = ir.to_proto(model).SerializeToString()
    return content

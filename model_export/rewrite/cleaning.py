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
    _return_own_values(model.graph)


def forget_shapes(graph: ir.Graph) -> None:
    """Shapes inside were those of the model before; ONNX Runtime infers them anew."""
    for node in graph:
        for value in node.outputs:
            if not value.is_graph_output():
                value.shape = None
                value.type = None


def _return_own_values(graph: ir.Graph) -> None:
    """A graph inside a node must not return what belongs to the graph around it as it is."""
    for node in graph:
        for attribute in node.attributes.values():
            if attribute.type == ir.AttributeType.GRAPH:
                inner = attribute.as_graph()
                _return_own_values(inner)
                for index, value in enumerate(inner.outputs):
                    producer = value.producer()
                    if value not in inner.inputs and (
                        producer is None or producer.graph is not inner
                    ):
                        inner.outputs[index] = _copied_in(inner, value, f"{node.name}/{index}")


def _copied_in(graph: ir.Graph, value: ir.Value, name: str) -> ir.Value:
    copy = ir.node("Identity", [value])
    copy.outputs[0].name = f"{name}/{value.name}"
    copy.outputs[0].type, copy.outputs[0].shape = value.type, value.shape
    graph.append(copy)
    return copy.outputs[0]


def serialised(model: ir.Model) -> bytes:
    model.ir_version = IR_VERSION
    model.producer_name = "gatewise"
    model.metadata_props.clear()
    content: bytes = ir.to_proto(model).SerializeToString()
    return content

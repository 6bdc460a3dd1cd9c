"""Recurrent nodes with layout=1, which ONNX Runtime does not run, as ones with layout=0."""

import onnx_ir as ir


def time_first(graph: ir.Graph) -> None:
    """Have every recurrent node take [steps, batch, I]."""
    for node in list(graph):
        if is_batch_first(node):
            _transpose_around(graph, node)


def is_batch_first(node: ir.Node) -> bool:
    """Whether it is a recurrent node that takes [batch, steps, I]."""
    is_recurrent = node.op_type in ("GRU", "LSTM", "RNN")
    return is_recurrent and node.attributes.get_int("layout", 0) != 0


def _transpose_around(graph: ir.Graph, node: ir.Node) -> None:
    node.attributes.pop("layout")
    swapped = [0, 5, 6]
    for index in swapped:
        value = node.inputs[index] if index < len(node.inputs) else None
        if value is not None:
            turned = ir.node("Transpose", [value], {"perm": [1, 0, 2]})
            turned.outputs[0].name = f"{value.name}/time first {node.name or id(node)}"
            graph.insert_before(node, turned)
            node.replace_input_with(index, turned.outputs[0])
    # Y [batch, steps, D, H] from [steps, D, batch, H]; Y_h [batch, D, H] from [D, batch, H].
    for index, output in enumerate(node.outputs):
        perm = [2, 0, 1, 3] if index == 0 else [1, 0, 2]
        if output.uses() or output.is_graph_output():
            back = ir.node("Transpose", [output], {"perm": perm})
            back.outputs[0].name = f"{output.name}/batch first"
            back.outputs[0].type, back.outputs[0].shape = output.type, output.shape
            output.shape = None
            output.replace_all_uses_with(back.outputs[0], replace_graph_outputs=True)
            back.replace_input_with(0, output)
            if back.outputs[0].is_graph_output():
                output.name, back.outputs[0].name = back.outputs[0].name, output.name
            graph.insert_after(node, back)

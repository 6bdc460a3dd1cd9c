"""PyTorch state dicts with GRU weights, in `.pt`, `.pth`, `.bin` and `.safetensors`."""

"""A plain RNN, an LSTM and a GRU on problems that need memory, side by side."""

"""What is learnt from which windows, and the baselines: characters, forecasts."""

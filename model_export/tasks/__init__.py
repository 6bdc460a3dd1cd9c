"""What is learnt from which windows: characters, forecasts."""

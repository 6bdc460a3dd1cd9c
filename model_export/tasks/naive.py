"""One-step forecasts without a network, as `tasks/forecast.py` asks for them."""

from model_export.baselines.season import Series, estimated_season

__all__ = ["estimated_season", "naive_forecasts"]


def naive_forecasts(values: Series, start: int, season: int | None) -> dict[str, Series]:
    """One-step forecasts of values[start:], [N − start, C], from the values [N, C] before each.

    Persistence repeats the last value, seasonal naive the value one season ago (Hyndman and
    Athanasopoulos 2021, §5.2).
    """
    forecasts = {"persistence": values[start - 1 : -1]}
    if season is not None and season > 1:
        forecasts["seasonal naive"] = values[start - season : -season]
    return forecasts

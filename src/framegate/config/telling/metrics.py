"""The settings of ``[metrics]``."""

from typing import Annotated

from pydantic import Field

from framegate.config.tables import RestartOnly, Table
from framegate.config.values import Listen, PromFile


class MetricsSettings(Table):
    """Metrics for a monitoring system."""

    listen: Annotated[Listen | None, RestartOnly()] = Field(default=None, examples=["127.0.0.1:9188"])
    """Serve Prometheus metrics at this address, as `"127.0.0.1:9188"`, or `":9188"` for every IPv4 address of
    this machine. It needs prometheus-client: in the clone `.venv/bin/pip install '.[metrics]'`, for the
    service `sudo /opt/framegate/bin/pip install '.[metrics]'`."""

    textfile: PromFile | None = Field(
        default=None, examples=["/var/lib/prometheus/node-exporter/framegate_lot1.prom"]
    )
    """Write the same metrics to this file every 15 s, for node_exporter's textfile collector. Its name has to
    end in `.prom`. It needs prometheus-client too."""

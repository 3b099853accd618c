"""Structured logs: one JSON object a line, with the trace they belong to."""

from __future__ import annotations

import json
import logging
import logging.handlers
import sys
from datetime import datetime, timezone

from opentelemetry import trace

from chassis.settings import Settings


class JsonLines(logging.Formatter):
    """Formats records as JSON lines that carry service, region, revision and trace id."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._fixed = {
            "service": settings.service,
            "region": settings.region,
            "revision": settings.revision[:12],
        }

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **self._fixed,
            **getattr(record, "fields", {}),
        }
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            entry["trace_id"] = trace.format_trace_id(context.trace_id)
            entry["span_id"] = trace.format_span_id(context.span_id)
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def start(settings: Settings) -> None:
    """Send all logs of this process to the log file, or to standard output without one."""
    handler: logging.Handler = logging.StreamHandler(sys.stdout)
    if settings.log_file:
        handler = logging.handlers.RotatingFileHandler(
            settings.log_file, maxBytes=10_000_000, backupCount=1
        )
    handler.setFormatter(JsonLines(settings))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def event(name: str, **fields: object) -> None:
    """Log one event with its fields."""
    logging.getLogger("shop").info(name, extra={"fields": fields})

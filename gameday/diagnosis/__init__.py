"""What telemetry says about an incident: telemetry in, judgement out.

The bot and the console read with the same eyes: which RED signal moved and in which shape, whom the
traces accuse, which leaf is the widest, whether a change explains it, what the runbook gives
against it. Nothing here opens anything: what has to be asked is asked through ports that the caller
hands in. It never sees a scenario, an injector or a driver.
"""

"""What the benches have in common: signals, messages, the figures as text and as JSON, and the exit status."""

import json
import signal

import state

SKIPPED, INTERRUPTED = 3, 130


def main(options, measure, text):
    """Prints `text(result, options)` of `measure(options)`, and writes the result where `options.json` says. Answers the exit
    status: 1 when it failed, or when the result has a `passed` that is not true."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # stops what was started
    try:
        result = measure(options)
    except state.Skipped as reason:
        state.say(f"skipped: {reason}")
        return SKIPPED
    except (state.Failed, OSError) as error:
        state.say(f"bench: {error}")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    print(text(result, options))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if result.get("passed", True) else 1

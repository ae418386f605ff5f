"""Do a run: `python -m core.execution.worker RUN_DIR`. Started again, it goes on where the last attempt ended."""

import os
import signal
import sys
import traceback
from pathlib import Path

from core.runs.journal import Journal
from core.runs.provenance import add_to_provenance, write_provenance
from core.runs.store import RunDir

EXIT_FAILED, EXIT_STOPPED = 1, 3


def main(path: Path) -> int:
    """Do the run in `path`; returns 0 when done, 1 when it failed, 3 when it was stopped on request."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a run never downloads; must be set before transformers is imported
    run = RunDir(path)
    journal = Journal(run)
    signal.signal(signal.SIGTERM, lambda *_: setattr(journal, "stop_requested", True))
    from core.stages.loop import Stopped

    try:
        run_stages(run, journal)
    except Stopped:
        journal.end("stopped", "stopped on request; resume it to go on")
        return EXIT_STOPPED
    except BaseException as error:
        traceback.print_exc()
        interrupted = isinstance(error, (KeyboardInterrupt, SystemExit))
        journal.end("stopped" if interrupted else "failed", f"{type(error).__name__}: {error}")
        return EXIT_STOPPED if interrupted else EXIT_FAILED
    journal.end("done")
    return 0


def run_stages(run: RunDir, journal: Journal) -> None:
    """The order of a run: prepare, adapters, zero-shot, then each task's fusion and fine-tunings, then results."""
    from core.stages.adapter_training import train_adapter
    from core.stages.borrowed_adapters import take_adapter
    from core.stages.effort import expected_work
    from core.stages.fine_tuning import fine_tune
    from core.stages.fusion_training import train_corpus_fusion
    from core.stages.measurement import measure_zero_shot, results
    from core.stages.workspace import prepare

    config = run.config
    work = prepare(run, journal)
    write_provenance(run, work.data_record(), work.device_record())
    journal.plan(expected_work(work))
    for role, plan in config.adapters.trained().items():
        if config.adapters.from_run is None:
            train_adapter(work, role, plan)
        else:
            take_adapter(work, role)
    work.remember()
    if config.fusion.corpus_training != "none":
        train_corpus_fusion(work)
    for system in config.systems("zero-shot"):
        measure_zero_shot(work, system)
    for task in config.tasks.chosen():
        for system in config.systems("fine-tuned"):
            fine_tune(work, task, system)
    if config.tasks.chosen():
        journal.begin("results", "resampling for intervals")
        run.write_results(results(work))
    add_to_provenance(run, {"budget": work.budget()})


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

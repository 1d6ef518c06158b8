"""The command `handlers`."""

from scheduler.entrypoints.cli.options import AsJson, Handlers


def handlers(modules: Handlers = None, as_json: AsJson = False) -> None:
    """Show the job types that a worker would run, or why it would not start."""
    from scheduler.adapters.handlers.discovery import find_handlers
    from scheduler.entrypoints.cli.output import print_document, print_line
    from scheduler.entrypoints.container import build_container
    from scheduler.entrypoints.process import Backend, ProcessOptions
    from scheduler.entrypoints.settings import Settings

    settings = Settings.load(worker_handlers=modules or None)
    options = ProcessOptions(handlers=find_handlers(settings.worker_handlers))
    container = build_container(settings, backend=Backend.MEMORY, options=options)
    for job_type in container.common.handlers().types():
        if as_json:
            print_document({"type": job_type})
        else:
            print_line(job_type)

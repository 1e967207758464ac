"""Loads for a GPU, and an independent look at it. Started by bench/hardware.

  probe             what GPUs there are, as JSON
  watch UUID        the counter and the power of one, line by line, until stdin ends
  load PLAN EVENTS  plays a plan (JSON), and appends what happened to a file
"""

import argparse
import json
import os
import select
import signal
import sys
import time

import cuda
import nvml
import schedule


def probe(options):
    library = nvml.Library(options.nvml)
    gpus = [
        {
            "uuid": library.text("nvmlDeviceGetUUID", d),
            "name": library.text("nvmlDeviceGetName", d),
            "partitioned": library.partitioned(d),
            "processes": library.residents(d),
            "counter": library.counter(d) >= 0,
        }
        for d in library.devices()
    ]
    try:
        import torch

        version = torch.__version__ if torch.cuda.is_available() else ""
    except Exception:  # whatever is wrong with it, it cannot be used
        version = ""
    driver = library.text("nvmlSystemGetDriverVersion")
    print(json.dumps({"driver": driver, "gpus": gpus, "python": sys.version.split()[0], "torch": version}))


def watch(options):
    def ended(seconds):
        return bool(select.select([sys.stdin], [], [], seconds)[0])

    nvml.watch(nvml.Library(options.nvml), options.uuid, sys.stdout, ended)


def load(options):
    """Plays each party in a process of its own; a single one in this."""
    with open(options.plan, encoding="utf-8") as file:
        plan = json.load(file)
    os.environ["CUDA_VISIBLE_DEVICES"] = plan["uuid"]
    epoch = plan["epoch_ns"] / 1e9
    parties = sorted(plan["parties"], key=lambda p: p["from_s"])
    if len(parties) == 1:
        party(options, plan, parties[0], epoch)
        return 0
    children, failed = {}, 0
    try:
        for p in parties:
            if p["from_s"] > 0:
                time.sleep(max(0, epoch + p["from_s"] - time.monotonic()))
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    party(options, plan, p, epoch)
                    status = 0
                except (Exception, KeyboardInterrupt) as problem:  # _exit would lose it
                    print(f"load: {problem}", file=sys.stderr)
                finally:
                    sys.stderr.flush()
                    os._exit(status)
            children[pid] = p["name"]
        while children:
            pid, status = os.wait()
            children.pop(pid, None)
            failed = failed or status
    finally:
        for pid in children:
            os.kill(pid, signal.SIGTERM)
    return 1 if failed else 0


def party(options, plan, p, epoch):
    """One process on the GPU: gets ready, is busy as planned, stays until its end."""

    def event(what, **more):
        line = json.dumps({"party": p["name"], "pid": os.getpid(), "event": what, "at_ns": time.monotonic_ns(), **more})
        with open(options.events, "a", encoding="utf-8") as file:
            file.write(line + "\n")

    event("started")
    if plan["train"]:
        import training

        event("ended", busy_s=training.train(p["until_s"]))
        return
    burner = cuda.Burner(options.cuda)
    event("ready")
    epoch = epoch or time.monotonic()
    planned = p["busy"] or []
    late = max(0.0, time.monotonic() - epoch - planned[0][0]) if planned else 0.0
    busy = schedule.play(planned, epoch, burner.burn)
    time.sleep(max(0, epoch + p["until_s"] - time.monotonic()))
    burner.close()
    event("ended", busy_s=busy, late_s=late)


def main():
    parser = argparse.ArgumentParser(prog="load", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nvml", default="libnvidia-ml.so.1", help="path of the management library")
    parser.add_argument("--cuda", default="libcuda.so.1", help="path of the CUDA library")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("probe").set_defaults(run=probe)
    p = commands.add_parser("watch")
    p.add_argument("uuid")
    p.set_defaults(run=watch)
    p = commands.add_parser("load")
    p.add_argument("plan")
    p.add_argument("events")
    p.set_defaults(run=load)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return options.run(options) or 0
    except (nvml.Error, cuda.Error) as problem:
        print(f"load: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


sys.exit(main())

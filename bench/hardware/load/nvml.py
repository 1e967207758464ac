"""NVML by ctypes: readings that share no code with greenagent."""

import ctypes
import time


class Error(Exception):
    """NVML does not answer."""


class Library:
    def __init__(self, path="libnvidia-ml.so.1"):
        try:
            self.lib = ctypes.CDLL(path)
        except OSError as problem:
            raise Error(f"{problem}: install the NVIDIA driver") from None
        self.check("nvmlInit_v2")

    def check(self, name, *arguments):
        result = getattr(self.lib, name)(*arguments)
        if result != 0:
            raise Error(f"{name}: NVML error {result}")

    def text(self, name, *before):
        buffer = ctypes.create_string_buffer(96)
        self.check(name, *before, buffer, ctypes.c_uint(96))
        return buffer.value.decode(errors="replace")

    def devices(self):
        count = ctypes.c_uint()
        self.check("nvmlDeviceGetCount_v2", ctypes.byref(count))
        for i in range(count.value):
            device = ctypes.c_void_p()
            self.check("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(i), ctypes.byref(device))
            yield device

    def device(self, uuid):
        for d in self.devices():
            if self.text("nvmlDeviceGetUUID", d) == uuid:
                return d
        raise Error(f"no GPU {uuid}")

    def _number(self, kind, name, device):
        value = kind()
        if not hasattr(self.lib, name) or getattr(self.lib, name)(device, ctypes.byref(value)) != 0:
            return -1
        return value.value

    def counter(self, device):
        """Millijoules since the driver was loaded, -1 where there is no counter."""
        return self._number(ctypes.c_ulonglong, "nvmlDeviceGetTotalEnergyConsumption", device)

    def power(self, device):
        """Milliwatts, -1 where unknown."""
        return self._number(ctypes.c_uint, "nvmlDeviceGetPowerUsage", device)

    def partitioned(self, device):
        """Whether MIG is on."""
        now, later = ctypes.c_uint(), ctypes.c_uint()
        if not hasattr(self.lib, "nvmlDeviceGetMigMode"):
            return False
        return self.lib.nvmlDeviceGetMigMode(device, ctypes.byref(now), ctypes.byref(later)) == 0 and now.value == 1

    def residents(self, device):
        """How many processes compute on it, -1 unknown."""
        count = ctypes.c_uint(0)
        for version in ("_v3", "_v2", ""):
            name = "nvmlDeviceGetComputeRunningProcesses" + version
            if hasattr(self.lib, name):
                result = getattr(self.lib, name)(device, ctypes.byref(count), None)
                return count.value if result in (0, 7) else -1  # 7: the buffer is too small, as meant
        return -1


def watch(library, uuid, out, ended, every=0.01):
    """Writes monotonic ns, wall ns, millijoules and milliwatts until it is to end."""
    device = library.device(uuid)
    while not ended(every):
        before = time.monotonic_ns()
        counter, wall = library.counter(device), time.time_ns()
        after = time.monotonic_ns()
        out.write(f"{(before + after) // 2} {wall} {counter} {library.power(device)}\n")
        out.flush()

"""The few calls of libcuda that keep a GPU busy for a time."""

import ctypes
import os

BLOCKING_SYNC = 4  # CU_CTX_SCHED_BLOCKING_SYNC: waiting costs no CPU time
MULTIPROCESSORS = 16  # CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT
THREADS = 256
BLOCKS_EACH = 4  # on each multiprocessor

REMEDIES = {
    2: "the GPU's memory is full: end what else uses it (nvidia-smi shows it)",
    3: "libcuda was used before it was started",
    34: "this is the stub library: install the NVIDIA driver",
    46: "the GPU is in exclusive mode or in use: sudo nvidia-smi -c 0",
    100: "CUDA finds no GPU: check nvidia-smi; in a container, start it with --gpus all",
    101: "CUDA does not show this GPU: check CUDA_VISIBLE_DEVICES",
    218: "the driver is too old to translate the kernel: 384 or newer is needed",
    803: "the driver was upgraded: restart the machine",
    999: "the driver failed: sudo dmesg may say why",
}


class Error(Exception):
    """A call that failed, and what to do."""


class Burner:
    """A context on the visible GPU, and a kernel that spins in it."""

    def __init__(self, library="libcuda.so.1"):
        try:
            self.lib = ctypes.CDLL(library)
        except OSError as problem:
            raise Error(f"{problem}: install the NVIDIA driver with its CUDA library") from None
        self._declare()
        self._call("cuInit", 0)
        device = ctypes.c_int()
        self._call("cuDeviceGet", ctypes.byref(device), 0)
        self.device = device
        count = ctypes.c_int()
        self._call("cuDeviceGetAttribute", ctypes.byref(count), MULTIPROCESSORS, device)
        self.multiprocessors = max(count.value, 1)
        self._call("cuDevicePrimaryCtxSetFlags_v2", device, BLOCKING_SYNC)
        context = ctypes.c_void_p()
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self._call("cuCtxSetCurrent", context)
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "burn.ptx"), "rb") as file:
            ptx = file.read() + b"\0"
        self.module = ctypes.c_void_p()
        self._call("cuModuleLoadData", ctypes.byref(self.module), ptx)
        self.function = ctypes.c_void_p()
        self._call("cuModuleGetFunction", ctypes.byref(self.function), self.module, b"burn")
        self.sink = ctypes.c_uint64()
        self._call("cuMemAlloc_v2", ctypes.byref(self.sink), 4096)

    def _declare(self):
        c, p = ctypes, ctypes.POINTER
        handle = c.c_void_p
        for name, arguments in {
            "cuInit": [c.c_uint],
            "cuDeviceGet": [p(c.c_int), c.c_int],
            "cuDeviceGetAttribute": [p(c.c_int), c.c_int, c.c_int],
            "cuDevicePrimaryCtxSetFlags_v2": [c.c_int, c.c_uint],
            "cuDevicePrimaryCtxRetain": [p(handle), c.c_int],
            "cuDevicePrimaryCtxRelease_v2": [c.c_int],
            "cuCtxSetCurrent": [handle],
            "cuCtxSynchronize": [],
            "cuModuleLoadData": [p(handle), c.c_char_p],
            "cuModuleGetFunction": [p(handle), handle, c.c_char_p],
            "cuMemAlloc_v2": [p(c.c_uint64), c.c_size_t],
            "cuLaunchKernel": [handle] + [c.c_uint] * 7 + [handle, p(handle), p(handle)],
        }.items():
            if name.endswith("_v2") and not hasattr(self.lib, name):  # before CUDA 11
                setattr(self.lib, name, getattr(self.lib, name[: -len("_v2")]))
            function = getattr(self.lib, name)
            function.argtypes, function.restype = arguments, c.c_int

    def _call(self, name, *arguments):
        result = getattr(self.lib, name)(*arguments)
        if result != 0:
            remedy = REMEDIES.get(result, "nvidia-smi and sudo dmesg may say more")
            raise Error(f"{name}: CUDA error {result}: {remedy}")

    def burn(self, seconds, percent):
        """Spins for a time on so many percent of the multiprocessors."""
        nanoseconds, sink = ctypes.c_uint64(int(seconds * 1e9)), ctypes.c_uint64(self.sink.value)
        arguments = (ctypes.c_void_p * 2)(
            ctypes.cast(ctypes.byref(nanoseconds), ctypes.c_void_p), ctypes.cast(ctypes.byref(sink), ctypes.c_void_p)
        )
        blocks = max(1, self.multiprocessors * percent // 100) * BLOCKS_EACH
        self._call("cuLaunchKernel", self.function, blocks, 1, 1, THREADS, 1, 1, 0, None, arguments, None)
        self._call("cuCtxSynchronize")

    def close(self):
        self._call("cuDevicePrimaryCtxRelease_v2", self.device)

"""Does random operations on a file and holds what it reads against what it wrote: FOLDER SEED COUNT."""

import ctypes
import mmap
import os
import random
import sys

folder, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
most = 1 << 20
# Of O_DIRECT, what offsets, lengths and addresses are multiples of.
unit = 4096
keep_size, punch_hole, zero_range = 0x01, 0x02, 0x10

random.seed(seed)
libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
path = os.path.join(folder, f"random-{seed}")
file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
direct = os.open(path, os.O_RDWR | os.O_DIRECT)
model = bytearray()
buffer = mmap.mmap(-1, most)


def span(step=1):
    at = random.randrange(most // step - 1)
    length = random.randrange(1, min(most // step - at, (1 << 16) // step) + 1)
    return at * step, length * step


def grow(end):
    if len(model) < end:
        model.extend(bytes(end - len(model)))


def same(at, got, what):
    wanted = bytes(model[at : at + len(got)])
    if got != wanted:
        where = next(i for i in range(len(got)) if got[i] != wanted[i])
        sys.exit(f"operation {step}, {what}: byte {at + where} is {got[where]}, and not {wanted[where]}")


def write():
    at, length = span()
    data = random.randbytes(length)
    assert os.pwrite(file, data, at) == length
    grow(at + length)
    model[at : at + length] = data


def write_direct():
    at, length = span(unit)
    data = random.randbytes(length)
    buffer[:length] = data
    assert os.pwritev(direct, [memoryview(buffer)[:length]], at) == length
    grow(at + length)
    model[at : at + length] = data


def read():
    at, length = span()
    got = os.pread(file, length, at)
    assert len(got) == max(0, min(length, len(model) - at))
    same(at, got, "read")


def read_direct():
    at, length = span(unit)
    got = os.preadv(direct, [memoryview(buffer)[:length]], at)
    assert got == max(0, min(length, len(model) - at))
    same(at, buffer[:got], "direct read")


def write_mapped():
    at, length = span()
    if at + length > len(model):
        return
    data = random.randbytes(length)
    with mmap.mmap(file, len(model)) as mapped:
        mapped[at : at + length] = data
    model[at : at + length] = data


def truncate():
    length = random.randrange(most)
    os.ftruncate(file, length)
    grow(length)
    del model[length:]


def clear(mode):
    at, length = span()
    if libc.fallocate(file, mode | keep_size, at, length) != 0:
        # Not every file system has both.
        assert ctypes.get_errno() == 95
        return
    end = min(at + length, len(model))
    if at < end:
        model[at:end] = bytes(end - at)


def sync():
    random.choice([os.fsync, os.fdatasync])(file)


def drop():
    os.fsync(file)
    with open("/proc/sys/vm/drop_caches", "w") as caches:
        caches.write("1")


operations = [write, write, write_direct, write_direct, read, read_direct, read, read_direct, write_mapped]
operations += [truncate, lambda: clear(punch_hole), lambda: clear(zero_range), sync, drop]
for step in range(count):
    random.choice(operations)()
drop()
assert os.fstat(file).st_size == len(model)
same(0, os.pread(file, most, 0), "whole file")
print(f"operations={count}")

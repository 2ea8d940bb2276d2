"""Does one piece of work so many times in Python, as linux.c does: usage: python.py python TIMES."""
import sys
import time


class Vector:
	def __init__(self, x, y):
		self.x = x
		self.y = y

	def plus(self, other):
		return Vector(self.x + other.x, self.y + other.y)


def queens(size, row=0, columns=0, up=0, down=0):
	"""In how many ways so many queens can stand on a board without a threat: a known number."""
	if row == size:
		return 1
	count = 0
	for column in range(size):
		bits = 1 << column, 1 << row + column, 1 << row - column + size
		if not (columns & bits[0] or up & bits[1] or down & bits[2]):
			count += queens(size, row + 1, columns | bits[0], up | bits[1], down | bits[2])
	return count


def words():
	"""Strings, dictionaries, sorting."""
	counts = {}
	state = 1
	for _ in range(4000):
		state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
		word = f"word-{(state >> 8) % 997:x}"
		counts[word] = counts.get(word, 0) + 1
	ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
	return sum(index * count * len(word) for index, (word, count) in enumerate(ordered))


def vectors():
	"""Objects, methods, floating point, big integers."""
	end = Vector(0, 0.0)
	for i in range(4000):
		end = end.plus(Vector(i * i, i / 4))
	return end.x + int(end.y * 4) + (3**500 + end.x) % 1000003


def work():
	return (queens(6) * 1000003 + words() * 31 + vectors()) & 0xFFFFFFFF


times = int(sys.argv[2])
print("work python begins", flush=True)
start, cpu = time.monotonic_ns(), time.process_time_ns()
result = work()
for _ in range(times - 1):
	if work() != result:
		sys.exit("work python failed: not the same again")
print(f"work python ends {result} {time.monotonic_ns() - start} {time.process_time_ns() - cpu}", flush=True)

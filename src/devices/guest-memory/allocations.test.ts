import test from 'ava';
import {unchecked} from '#support/trust';
import {fence, type GuestWindow, HostMemory, IoVectors, MappedMemory} from './index.ts';
import {plainMemory} from './testing/index.ts';

const accesses = 20_000;
/** The compiler has seen enough long before. */
const maxRounds = 500;

/**
 * Bytes that an access leaves behind in the heap, once it is compiled: the least of all rounds, since a collection, the
 * compiler and the test itself leave some too.
 */
function bytesPerAccess(access: (index: number) => void): number {
	let least = Number.POSITIVE_INFINITY;
	for (let round = 0; round < maxRounds && least >= 0.1; round++) {
		const before = process.memoryUsage().heapUsed;
		for (let index = 0; index < accesses; index++) access(index);
		const left = process.memoryUsage().heapUsed - before;
		if (left >= 0) least = Math.min(least, left / accesses);
	}
	return least;
}

const length = 0x10000;
const high = 2 ** 32;
const memory = new MappedMemory(plainMemory({gpa: 0, length}, {gpa: length, length}, {gpa: high, length}));
const window = memory.mapped(0x1000, 0x1000, 8) as GuestWindow;
const crossing = memory.mapped(length - 0x800, 0x1000, 8) as GuestWindow;
const bytes = new Uint8Array(2048);
const vectors = new IoVectors(4);
const whole = new IoVectors(2);
memory.pin(length - 2048, 4096, 'read', whole);
const own = new HostMemory(8192);
let sum = 0;
const add = (value: number | undefined) => {
	sum = (sum + (value ?? 0)) | 0;
};
memory.fill(0, 2 * length, 0xff);

const paths: Readonly<Record<string, (at: number) => void>> = {
	'16 bytes copied out': (at) => add(memory.copyOut(at, bytes, 0, 16) ? 1 : 0),
	'1500 bytes copied out': (at) => add(memory.copyOut(at, bytes, 0, 1500) ? 1 : 0),
	'16 bytes copied in': (at) => add(memory.copyIn(at, bytes, 0, 16) ? 1 : 0),
	'1500 bytes copied in': (at) => add(memory.copyIn(at, bytes, 0, 1500) ? 1 : 0),
	'16 bytes copied across pieces': (at) => add(memory.copyOut(length - 8 + (at & 7), bytes, 0, 16) ? 1 : 0),
	'16 bytes outside RAM': (at) => add(memory.copyOut(0x7000_0000 + at, bytes, 0, 16) ? 1 : 0),
	'low and high memory in turn': (at) => add(memory.copyOut((at & 8) === 0 ? at : length + at, bytes, 0, 16) ? 1 : 0),
	fill: (at) => add(memory.fill(at, 64, 7) ? 1 : 0),
	'16 bits': (at) => add(unchecked(memory.readU16(at))),
	'16 bits outside RAM': (at) => add(unchecked(memory.readU16(0x7000_0000 + at))),
	'32 bits written': (at) => add(memory.writeU32(at, at) ? 1 : 0),
	'64 bits written': (at) => add(memory.writeU64(at, at * 2 ** 20) ? 1 : 0),
	'16 bits of a window': (at) => add(unchecked(window.readU16(at & 0xff0))),
	'32 bits of a window, more than 31 of them used': (at) => add(unchecked(window.readU32(at & 0xff0)) | 0),
	'64 bits of a window': (at) => add(unchecked(window.readU64(at & 0xff0)) > 1 ? 1 : 0),
	'16 bits of a window over two pieces': (at) => add(unchecked(crossing.readU16(at & 0xff0))),
	'an ordered load and store': (at) => {
		add(unchecked(window.acquireU16(at & 0xff0)));
		window.releaseU16(at & 0xff0, at & 0xff);
		window.releaseU32(at & 0xff0, 0x7fff_ff00 + (at & 0xff));
		add(unchecked(window.acquireU32(at & 0xff0)));
		fence();
	},
	'a compare-exchange': (at) => add(window.compareExchangeU32(at & 0xff0, 0xffff_ffff, 0xffff_fffe) ? 1 : 0),
	'a check whether a window is current': () => add(window.isCurrent ? 1 : 0),
	'a pin and its release': (at) => {
		add(memory.pin(at, 16, 'write', vectors) ? 1 : 0);
		vectors.release();
	},
	'a part of a list, and its release': (at) => {
		add(vectors.addPart(whole, at & 0x7f0, 2048) ? 1 : 0);
		vectors.release();
	},
	"a list over the host's memory, and its release": (at) => {
		add(vectors.addHost(own, at, 64) ? 1 : 0);
		vectors.fill(at & 7, 16, 7);
		vectors.release();
	},
};
for (const [name, path] of Object.entries(paths)) {
	test.serial(`nothing is allocated by ${name}`, (t) => {
		const left = bytesPerAccess((index) => path((index & 0xff) * 16));
		t.true(left < 0.1, `${left} bytes`);
	});
}

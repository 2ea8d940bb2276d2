import {close, Errno, ioUringEnter, ioUringRegister, ioUringSetup, type Mapping, mapFile, unmap} from '#support/ffi';
import {FileAction, type FileOperation} from './io-engine.ts';
import {
	Completion,
	IO_URING_OP_SUPPORTED,
	IORING_CQ_EVENTFD_DISABLED,
	IORING_FSYNC_DATASYNC,
	IORING_REGISTER_EVENTFD,
	IORING_REGISTER_PROBE,
	neededFeatures,
	Probe,
	ProbedOperation,
	RingOperation,
	RingParams,
	ringPlaces,
	Submission,
} from './ring-structs.ts';

/** Entries of the submission queue; completions have twice as many. */
const entries = 128;
const probedOperations = 64;
type Params = ReturnType<typeof RingParams.read>;

/** Words of a submission and of a completion. */
const submissionWords = Submission.size / 4;
const completionWords = Completion.size / 4;
const wordOf = (name: Parameters<typeof Submission.offset>[0]) => Submission.offset(name) / 4;
const at = {
	opcode: wordOf('opcode'),
	fd: wordOf('fd'),
	offset: wordOf('off'),
	address: wordOf('addr'),
	length: wordOf('len'),
	flags: wordOf('rw_flags'),
	token: wordOf('user_data'),
} as const;
const resultWord = Completion.offset('res') / 4;

/** By action; and of what has one vector, which costs the kernel less. */
const opcodes = {
	[FileAction.READ]: RingOperation.READV,
	[FileAction.WRITE]: RingOperation.WRITEV,
	[FileAction.SYNC]: RingOperation.FSYNC,
	[FileAction.ALLOCATE]: RingOperation.FALLOCATE,
} as const;
const oneVector = {[FileAction.READ]: RingOperation.READ, [FileAction.WRITE]: RingOperation.WRITE} as const;

/** Memory of the kernel's: both rings, and the submissions that one of them is of. */
interface RingMemory {
	readonly rings: Mapping;
	readonly submissions: Mapping;
}

/** An io_uring(7): rings that this thread and the kernel share, read and written without a call. */
export class Ring {
	readonly #fd: number;
	readonly #memory: RingMemory;
	readonly #words: Int32Array;
	readonly #submissions: Int32Array;
	/** Indices of words: of the submission ring, of the completion ring. */
	readonly #sqHead: number;
	readonly #sqTail: number;
	readonly #cqHead: number;
	readonly #cqTail: number;
	readonly #cqFlags: number;
	readonly #cqes: number;
	/** Completions that there is room for. */
	readonly capacity: number;
	#tail = 0;

	private constructor(fd: number, memory: RingMemory, {sq_off: sq, cq_off: cq, cq_entries: capacity}: Params) {
		this.#fd = fd;
		this.#memory = memory;
		this.#words = new Int32Array(memory.rings.buffer);
		this.#submissions = new Int32Array(memory.submissions.buffer);
		[this.#sqHead, this.#sqTail] = [sq.head / 4, sq.tail / 4];
		[this.#cqHead, this.#cqTail] = [cq.head / 4, cq.tail / 4];
		[this.#cqFlags, this.#cqes] = [cq.flags / 4, cq.cqes / 4];
		this.capacity = capacity;
		// Submissions lie in their order.
		for (let index = 0; index < entries; index++) this.#words[sq.array / 4 + index] = index;
	}

	/** Opens one that signals an eventfd; the negated errno where the host lets nobody have one, or its kernel's is too old. */
	static open(eventFd: number): Ring | number {
		const bytes = new Uint8Array(RingParams.size);
		const fd = ioUringSetup(entries, bytes);
		if (fd < 0) return fd;
		const params = RingParams.read(bytes);
		const memory = prepare(fd, params, eventFd) || mapRing(fd, params);
		if (typeof memory !== 'number') return new Ring(fd, memory, params);
		close(fd);
		return memory;
	}

	/** Submissions that there is room for now. */
	get room(): number {
		return entries - ((this.#tail - Atomics.load(this.#words, this.#sqHead)) | 0);
	}

	/**
	 * Adds a submission, where there is room. `token` comes back with its result. What the kernel takes is read here: a number beyond 2^31 is an object to V8
	 * where one function gives it to another.
	 */
	add({action, fd, offset, vectors, count, buffer, length, flags}: FileOperation, token: number): void {
		const words = this.#submissions;
		const base = (this.#tail & (entries - 1)) * submissionWords;
		const isMove = action === FileAction.READ || action === FileAction.WRITE;
		const isOne = isMove && buffer > 0;
		const place = action === FileAction.SYNC ? 0 : offset;
		const address = isOne ? buffer : isMove ? vectors : action === FileAction.ALLOCATE ? length : 0;
		// Little-endian. All else is zero, as nobody has written it: the kernel does not.
		words[base + at.opcode] = isOne ? oneVector[action as keyof typeof oneVector] : opcodes[action];
		words[base + at.fd] = fd;
		words[base + at.offset] = place;
		words[base + at.offset + 1] = place / 2 ** 32;
		words[base + at.address] = address;
		words[base + at.address + 1] = address / 2 ** 32;
		words[base + at.length] = isOne ? length : isMove ? count : action === FileAction.ALLOCATE ? flags : 0;
		words[base + at.flags] = isMove ? flags : action === FileAction.SYNC ? IORING_FSYNC_DATASYNC : 0;
		words[base + at.token] = token;
		this.#tail = (this.#tail + 1) | 0;
	}

	/** Has the kernel take what was added. 0, or the negated errno where it has not taken all. */
	enter(): number {
		const words = this.#words;
		Atomics.store(words, this.#sqTail, this.#tail);
		for (;;) {
			const left = (this.#tail - Atomics.load(words, this.#sqHead)) | 0;
			if (left === 0) return 0;
			const taken = ioUringEnter(this.#fd, left);
			if (taken === 0) return -Errno.EAGAIN;
			if (taken < 0 && taken !== -Errno.EINTR) return taken;
		}
	}

	/** Says whether completions signal the eventfd. */
	signal(on: boolean): void {
		Atomics.store(this.#words, this.#cqFlags, on ? 0 : IORING_CQ_EVENTFD_DISABLED);
	}

	/** Takes the completions that are there. @returns how many */
	reap(each: (token: number, result: number) => void): number {
		const words = this.#words;
		let count = 0;
		for (let head = words[this.#cqHead] as number; head !== Atomics.load(words, this.#cqTail); head = (head + 1) | 0) {
			const base = this.#cqes + (head & (this.capacity - 1)) * completionWords;
			const [token, result] = [words[base] as number, words[base + resultWord] as number];
			// The entry is the kernel's again before anybody submits anew.
			Atomics.store(words, this.#cqHead, (head + 1) | 0);
			each(token, result);
			count++;
		}
		return count;
	}

	/** When nothing is in flight. */
	close(): void {
		unmap(this.#memory.rings);
		unmap(this.#memory.submissions);
		close(this.#fd);
	}
}

/** Sees whether a ring can what is needed, and has it signal. 0 or a negated errno. */
function prepare(fd: number, {features, cq_off: cq}: Params, eventFd: number): number {
	// Without `flags` there is no saying that completions need no signal (Linux 5.8).
	if ((features & neededFeatures) !== neededFeatures || cq.flags === 0) return -Errno.ENOSYS;
	const probe = new Uint8Array(Probe.size + probedOperations * ProbedOperation.size);
	const probed = ioUringRegister(fd, IORING_REGISTER_PROBE, probe, probedOperations);
	if (probed < 0) return probed;
	for (const operation of Object.values(RingOperation)) {
		const place = Probe.size + operation * ProbedOperation.size;
		if ((ProbedOperation.read(probe, place).flags & IO_URING_OP_SUPPORTED) === 0) return -Errno.ENOSYS;
	}
	return ioUringRegister(fd, IORING_REGISTER_EVENTFD, new Uint8Array(new Int32Array([eventFd]).buffer), 1);
}

/** Maps the parts of a ring where the kernel has room: newer ones allow no other place. */
function mapRing(fd: number, {sq_off: sq, cq_off: cq, cq_entries: capacity}: Params): RingMemory | number {
	const ringsBytes = Math.max(cq.cqes + capacity * Completion.size, sq.array + entries * 4);
	const rings = mapFile(fd, ringPlaces.rings, ringsBytes);
	if (typeof rings === 'number') return rings;
	const submissions = mapFile(fd, ringPlaces.submissions, entries * Submission.size);
	if (typeof submissions !== 'number') return {rings, submissions};
	unmap(rings);
	return submissions;
}

import {Errno} from './errno.ts';
import {close, read, write} from './fd.ts';
import {addressOf, libc, libcResultInPool} from './libc.ts';

/** Events of epoll_ctl(2). */
export const Epoll = {IN: 0x001, OUT: 0x004, ERR: 0x008, HUP: 0x010, ADD: 1, DEL: 2, MOD: 3} as const;

const EFD_CLOEXEC_NONBLOCK = 0o2000000 | 0o4000;
const EPOLL_CLOEXEC = 0o2000000;

const cEventfd = libc('int eventfd(uint32_t initial, int flags)');
const cEpollCreate = libc('int epoll_create1(int flags)');
const cEpollCtl = libc('int epoll_ctl(int epfd, int operation, int fd, void *event)');
/** epoll_pwait2(2), which libraries have later than kernels do: its number is the same on every architecture. */
const cSyscall = libc(
	'int64_t syscall(int64_t number, int epfd, void *events, int capacity, void *timeout, void *mask, uint64_t maskBytes)',
);
const SYS_epoll_pwait2 = 441;
/** For kernels before 5.11. */
const cEpollWait = libc('int epoll_wait(int epfd, void *events, int capacity, int timeoutMs)');

/** eventfd(2), non-blocking. Returns the descriptor or the negated errno. */
export const eventfd = (initial = 0): number => cEventfd(initial, EFD_CLOEXEC_NONBLOCK);

const one = new Uint8Array(new BigUint64Array([1n]).buffer);

/** Adds one to an eventfd. */
export const signalEventfd = (fd: number): number => write(fd, one);

/** Resets an eventfd; true when it had been signalled. `scratch` has 8 bytes. */
export const drainEventfd = (fd: number, scratch: Uint8Array): boolean => read(fd, scratch) === 8;

const cPoll = libcResultInPool('int poll(uintptr_t descriptors, uint64_t count, int timeoutMs)');
const POLLIN = 1;

/** Waits on a thread of Node's pool until a descriptor is readable, for some milliseconds at most (poll(2)). */
export function readableInPool(fd: number, timeoutMs: number): Promise<void> {
	// struct pollfd: the descriptor, the events that are asked for and those that there are.
	const descriptor = new Int32Array(new ArrayBuffer(8));
	descriptor.set([fd, POLLIN]);
	return new Promise((resolve) => {
		// The callback keeps the struct until the kernel is done with it.
		cPoll([Number(addressOf(descriptor)), 1, timeoutMs], () => resolve(void descriptor));
	});
}

/** struct epoll_event is packed on x86-64 only (epoll_event(3type)). */
const eventSize = process.arch === 'x64' ? 12 : 16;
const dataOffset = process.arch === 'x64' ? 4 : 8;

/** An epoll(7) instance that reports the number each descriptor was registered with. */
export class EpollSet {
	readonly #fd: number;
	readonly #events: Uint8Array;
	readonly #view: DataView;
	readonly #timeoutBytes = new Uint8Array(16);
	readonly #timeout = new DataView(this.#timeoutBytes.buffer);
	#waitsFinely = true;

	/** @param capacity - most events returned by one wait */
	constructor(capacity = 64) {
		this.#fd = cEpollCreate(EPOLL_CLOEXEC);
		this.#events = new Uint8Array(eventSize * capacity);
		this.#view = new DataView(this.#events.buffer);
	}

	/** The instance's own descriptor, or the negated errno of its creation. */
	get fd(): number {
		return this.#fd;
	}

	/** epoll_ctl(2): {@link Epoll} operation; `token` comes back from {@link wait}. 0 or the negated errno. */
	control(operation: number, fd: number, events: number, token: number): number {
		this.#view.setUint32(0, events, true);
		this.#view.setUint32(dataOffset, token, true);
		return cEpollCtl(this.#fd, operation, fd, this.#events);
	}

	/** Waits for events, for this long at most. Returns how many came, or the negated errno. */
	wait(timeoutNs: number): number {
		const capacity = Math.floor(this.#events.length / eventSize);
		if (this.#waitsFinely) {
			const timeout = timeoutNs === Number.POSITIVE_INFINITY ? null : this.#timespec(timeoutNs);
			const result = cSyscall(SYS_epoll_pwait2, this.#fd, this.#events, capacity, timeout, null, 0);
			if (result !== -Errno.ENOSYS) return result;
			this.#waitsFinely = false;
		}
		const timeoutMs = timeoutNs === Number.POSITIVE_INFINITY ? -1 : Math.ceil(timeoutNs / 1e6);
		return cEpollWait(this.#fd, this.#events, capacity, timeoutMs);
	}

	/** struct timespec: seconds and nanoseconds, 64 bits each. */
	#timespec(ns: number): Uint8Array {
		const seconds = Math.min(Math.floor(ns / 1e9), 0xffff_ffff);
		this.#timeout.setUint32(0, seconds, true);
		this.#timeout.setUint32(8, ns % 1e9, true);
		return this.#timeoutBytes;
	}

	/** Ready events of the `index`th result of the last wait. */
	readyEvents(index: number): number {
		return this.#view.getUint32(index * eventSize, true);
	}

	/** Token of the `index`th result of the last wait. */
	readyToken(index: number): number {
		return this.#view.getUint32(index * eventSize + dataOffset, true);
	}
}

/** True for a descriptor that can be waited for: regular files and some character devices cannot (epoll_ctl(2), EPERM). */
export function canBeWatched(fd: number): boolean {
	const set = new EpollSet(1);
	const added = set.control(Epoll.ADD, fd, 0, 0);
	close(set.fd);
	return added !== -Errno.EPERM;
}

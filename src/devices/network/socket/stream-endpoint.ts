import {
	type Endpoint,
	type EndpointHost,
	Frame,
	leastFrameBytes,
	mostFrameBytes,
	type Nic,
	noOffloads,
} from '#devices/network/endpoint';
import {
	accept,
	clientLeft,
	close,
	connectUnix,
	listenUnix,
	read,
	removeUnixSocket,
	transient,
	write,
} from '#support/ffi';
import type {Timer, Watch} from '#support/reactor';
import type {ViewOf} from '#support/wire';
import {SocketCounters} from './counters.ts';
import {socketError} from './errors.ts';

/** What stands before each frame: its length in 32 bits, most significant byte first (QEMU, net/stream.c). */
const prefixBytes = 4;
/** Bytes that are read at once: several frames as they usually are, or the longest. */
const bufferBytes = 2 * (prefixBytes + mostFrameBytes);
/** Time between attempts to reach somebody. */
const retryNs = 500e6;

/** A path of a Unix socket, at which somebody else listens, or this does. */
export interface StreamPlace {
	readonly path: string;
	readonly listens: boolean;
}

/**
 * Carries frames over a Unix socket as QEMU's `-netdev stream` has them. Frames of the guest's are lost while nobody is there, and wait
 * while somebody does not read; those that come wait in the socket while the guest has no room. Whoever sends what is no frame is let go of.
 */
export class StreamEndpoint implements Endpoint {
	readonly takes = noOffloads;
	readonly #place: StreamPlace;
	readonly #nic: Nic;
	readonly #host: EndpointHost;
	readonly #counters: ViewOf<typeof SocketCounters>;
	readonly #listener: number;
	#waiting: Watch | undefined;
	#retry: Timer | undefined;
	#fd = -1;
	#watch: Watch | undefined;
	#isRunning = false;
	#isDisposed = false;
	#isConnecting = false;
	/** Bytes that have come, from one place to another. */
	readonly #in = new Uint8Array(bufferBytes);
	readonly #inView = new DataView(this.#in.buffer);
	#start = 0;
	#end = 0;
	#isBlocked = false;
	readonly #frame = new Frame();
	/** What the socket has not taken yet of the last frame. */
	readonly #out = new Uint8Array(prefixBytes + mostFrameBytes);
	readonly #outView = new DataView(this.#out.buffer);
	#outStart = 0;
	#outEnd = 0;
	/** A frame of the guest's has been refused. */
	#isFull = false;

	private constructor(place: StreamPlace, nic: Nic, host: EndpointHost, listener: number) {
		this.#place = place;
		this.#nic = nic;
		this.#host = host;
		this.#counters = SocketCounters.on(host.memory, host.offset);
		this.#listener = listener;
	}

	/** @throws VmmError NETWORK_SOCKET_UNUSABLE where it cannot listen; who is to be reached may come later */
	static async open(place: StreamPlace, nic: Nic, host: EndpointHost): Promise<StreamEndpoint> {
		if (!place.listens) return new StreamEndpoint(place, nic, host, -1);
		await removeUnixSocket(place.path);
		const listener = await listenUnix(place.path);
		if (listener < 0) throw socketError('NETWORK_SOCKET_UNUSABLE', {path: place.path, errno: listener});
		return new StreamEndpoint(place, nic, host, listener);
	}

	start(): void {
		this.#isRunning = true;
		this.#isBlocked = false;
		if (this.#fd >= 0) this.#interest();
		else {
			this.#nic.carrier(false);
			this.#reach();
		}
	}

	send(frame: Frame): boolean {
		if (this.#fd < 0) {
			this.#counters.lost++;
			return true;
		}
		if (this.#outStart < this.#outEnd) {
			this.#isFull = true;
			return false;
		}
		this.#outView.setUint32(0, frame.length);
		this.#out.set(frame.bytes.subarray(0, frame.length), prefixBytes);
		[this.#outStart, this.#outEnd] = [0, prefixBytes + frame.length];
		this.#flush();
		return true;
	}

	room(): void {
		this.#isBlocked = false;
		this.#receive();
	}

	stop(): void {
		this.#isRunning = false;
		this.#retry?.cancel();
		this.#waiting?.close();
		this.#waiting = undefined;
		this.#watch?.close();
		this.#watch = undefined;
	}

	async dispose(): Promise<void> {
		this.stop();
		this.#isDisposed = true;
		this.#leave();
		if (this.#listener < 0) return;
		close(this.#listener);
		await removeUnixSocket(this.#place.path);
	}

	/** Looks for somebody, as long as there is nobody. */
	#reach(): void {
		if (!this.#isRunning || this.#fd >= 0) return;
		if (this.#listener >= 0) {
			const interest = {readable: true, writable: false};
			this.#waiting ??= this.#host.reactor.watch(this.#listener, interest, () => this.#accept());
		} else if (!this.#isConnecting) {
			this.#isConnecting = true;
			this.#host.track(this.#connect(), 'connecting to a socket for frames');
		}
	}

	#accept(): void {
		const fd = accept(this.#listener);
		if (fd >= 0) this.#met(fd);
		else if (!clientLeft.has(-fd)) {
			// The host has no descriptor for who is there, who keeps the listener readable meanwhile.
			this.#counters.errno = -fd;
			this.#waiting?.close();
			this.#waiting = undefined;
			this.#tryLater();
		}
	}

	#tryLater(): void {
		this.#retry = this.#host.reactor.after(retryNs, () => this.#reach());
	}

	async #connect(): Promise<void> {
		const fd = await connectUnix(this.#place.path);
		this.#isConnecting = false;
		if (this.#isDisposed) {
			if (fd >= 0) close(fd);
		} else if (fd >= 0) this.#met(fd);
		else {
			this.#counters.errno = -fd;
			if (this.#isRunning) this.#tryLater();
		}
	}

	/** Somebody is there. One at a time is. */
	#met(fd: number): void {
		this.#waiting?.close();
		this.#waiting = undefined;
		this.#fd = fd;
		this.#counters.connected = 1;
		this.#counters.errno = 0;
		this.#start = this.#end = this.#outStart = this.#outEnd = 0;
		this.#nic.carrier(true);
		if (this.#isRunning) this.#interest();
	}

	/** Nobody is there any more: the next one is waited for. */
	#left(): void {
		if (this.#outStart < this.#outEnd) this.#counters.lost++;
		this.#leave();
		this.#nic.carrier(false);
		this.#hasRoom();
		// Whoever goes as soon as it comes is not run after.
		if (this.#isRunning) this.#tryLater();
	}

	#leave(): void {
		this.#watch?.close();
		this.#watch = undefined;
		if (this.#fd >= 0) close(this.#fd);
		this.#fd = -1;
		this.#outStart = this.#outEnd = 0;
		this.#counters.connected = 0;
	}

	#interest(): void {
		const [readable, writable] = [!this.#isBlocked, this.#outStart < this.#outEnd];
		// A hang-up is told however little is asked for, and would keep the thread busy.
		if (!readable && !writable) {
			this.#watch?.close();
			this.#watch = undefined;
		} else if (this.#watch !== undefined) this.#watch.interest(readable, writable);
		else {
			this.#watch = this.#host.reactor.watch(this.#fd, {readable, writable}, (state) => {
				if (state.writable) this.#flush();
				if (this.#fd >= 0 && (state.readable || state.failed)) this.#receive();
			});
		}
	}

	/** The frame that was refused is taken now, or lost. */
	#hasRoom(): void {
		if (!this.#isFull) return;
		this.#isFull = false;
		this.#nic.room();
	}

	#flush(): void {
		if (this.#outStart === this.#outEnd) return;
		const count = write(this.#fd, this.#out.subarray(this.#outStart, this.#outEnd));
		if (count < 0 && !transient.has(-count)) {
			this.#left();
			return;
		}
		this.#outStart += Math.max(0, count);
		if (this.#outStart === this.#outEnd) this.#hasRoom();
		this.#interest();
	}

	/** Passes on what has come, and reads once more at most: others have their turn then. */
	#receive(): void {
		if (!this.#isRunning || this.#fd < 0 || !this.#pass()) return;
		this.#in.copyWithin(0, this.#start, this.#end);
		this.#end -= this.#start;
		this.#start = 0;
		const count = read(this.#fd, this.#in.subarray(this.#end));
		if (count === 0 || (count < 0 && !transient.has(-count))) this.#left();
		else {
			this.#end += Math.max(0, count);
			this.#pass();
		}
	}

	/** Passes on the frames that are whole. False where the guest has no room, or their sender has been let go of. */
	#pass(): boolean {
		while (this.#end - this.#start >= prefixBytes) {
			const length = this.#inView.getUint32(this.#start);
			if (length < leastFrameBytes || length > mostFrameBytes) {
				this.#counters.wrong++;
				this.#left();
				return false;
			}
			const next = this.#start + prefixBytes + length;
			if (next > this.#end) break;
			this.#frame.bytes.set(this.#in.subarray(this.#start + prefixBytes, next));
			this.#frame.become(length);
			if (!this.#nic.receive(this.#frame)) {
				this.#isBlocked = true;
				this.#interest();
				return false;
			}
			this.#start = next;
		}
		this.#interest();
		return true;
	}
}

import type {VirtioBack, VirtioServices} from '#devices/virtio/device';
import type {VirtQueue} from '#devices/virtio/queue';
import {ByteRing, ringFields} from '#support/shared-memory';
import {array, concatBytes, type FieldsView, u32, wire} from '#support/wire';
import {ConsolePort} from './console-port.ts';
import {mostPorts, type VirtioConsoleConfig} from './handle.ts';
import {
	ConsoleSpace,
	ControlEvent,
	ControlMessage,
	controlReceive,
	controlTransmit,
	PortSize,
	receiveQueueOf,
	transmitQueueOf,
} from './layout.ts';
import {isPlugged, PortState, type PortStateView, Told} from './port-state.ts';

/** Numbers of the features (virtio 1.2, 5.3.3). */
export const consoleFeatures = {size: 0, multiport: 1, emergencyWrite: 2} as const;
export type ConsoleFeature = keyof typeof consoleFeatures;

/** Characters that a driver may write by configuration space before the back has looked. */
const emergencyBytes = 4096;

export const ConsoleState = wire('virtio-console', {
	/** The driver has set itself up for several ports: 1. */
	ready: u32,
	/** By number. */
	ports: array(PortState, mostPorts),
	...ringFields('emergency', emergencyBytes),
});
type State = FieldsView<typeof ConsoleState.fields>;

/** Adds a character that the driver has written by configuration space. @returns false where there is no room */
export const pushEmergency = (state: State, value: number): boolean =>
	new ByteRing(ConsoleState, state, 'emergency').push(value & 0xff);

/** Serves the ports of a device, and tells the guest of what becomes of them. */
export class ConsoleBack implements VirtioBack {
	readonly #state: State;
	readonly #services: VirtioServices<ConsoleFeature>;
	readonly #ports: readonly ConsolePort[];
	readonly #emergency: ByteRing<'emergency'>;
	#isRunning = false;

	constructor({ports}: VirtioConsoleConfig, state: State, services: VirtioServices<ConsoleFeature>) {
		this.#state = state;
		this.#services = services;
		this.#emergency = new ByteRing(ConsoleState, state, 'emergency');
		this.#ports = ports.map((config, index) => {
			const owner = {
				changed: () => this.#hostChanged(index),
				transmitLater: () => services.serve(transmitQueueOf(index)),
				locked: (action: () => void) => services.locked(action),
			};
			return new ConsolePort(config, state.ports[index] as PortStateView, services.reactor, owner);
		});
	}

	async open(): Promise<void> {
		await Promise.all(this.#ports.map((port) => port.open()));
	}

	start(): void {
		this.#isRunning = true;
		this.#services.notifyBacks();
	}

	async stop(isReset = false): Promise<void> {
		this.#isRunning = false;
		for (const port of this.#ports)
			if (isReset) port.abandon();
			else port.rest();
	}

	inFlight(): string | undefined {
		return this.#ports.map(({inFlight}) => inFlight).find((each) => each !== undefined);
	}

	notified(): void {
		if (!this.#isRunning) return;
		this.#writeEmergency();
		this.#showSize();
		for (const [index, port] of this.#ports.entries()) if (!this.#isUsed(index)) port.abandon();
	}

	queueReady(queue: VirtQueue, index: number): void {
		if (index === controlReceive) {
			if (this.#services.has('multiport')) this.#tell(queue);
		} else if (index === controlTransmit) this.#listen(queue);
		else {
			const number = index < 2 ? 0 : (index >> 1) - 1;
			const port = this.#ports[number];
			if (port === undefined || !this.#isUsed(number)) return;
			if (index === transmitQueueOf(number)) port.transmit(queue);
			else if (this.#isOpen(number)) port.receive(queue);
			// Who has gone is seen by reading and writing.
			this.#services.serve(controlReceive);
		}
	}

	queueReset(_queue: VirtQueue, index: number): void {
		for (const [number, port] of this.#ports.entries()) if (transmitQueueOf(number) === index) port.abandon();
	}

	reset(): void {
		this.#forget();
		for (const port of this.#state.ports) port.sent = 0;
	}

	feed(bytes: Uint8Array): number {
		return this.#ports.find(({config}) => config.backend.kind === 'console')?.feed(bytes) ?? bytes.length;
	}

	async dispose(): Promise<void> {
		await Promise.all(this.#ports.map((port) => port.dispose()));
	}

	/** The guest knows of the port. */
	#isUsed(number: number): boolean {
		const {config, state} = this.#ports[number] as ConsolePort;
		if (!this.#services.has('multiport')) return number === 0;
		return isPlugged(config, state) && (state.told & Told.READY) !== 0;
	}

	/** The guest wants what the host sends; before that its driver throws it away. */
	#isOpen(number: number): boolean {
		return !this.#services.has('multiport') || this.#state.ports[number]?.open !== 0;
	}

	#hostChanged(number: number): void {
		if (!this.#isRunning) return;
		for (const queue of [transmitQueueOf(number), receiveQueueOf(number), controlReceive]) this.#services.serve(queue);
	}

	#writeEmergency(): void {
		// Processors may add to it all the time: what comes meanwhile has its own turn.
		for (let left = this.#emergency.length; left > 0; ) {
			const piece = this.#emergency.peek();
			this.#ports[0]?.writeNow(piece);
			this.#emergency.consume(piece.length);
			left -= piece.length;
		}
	}

	/** Configuration space says how large the first port is. */
	#showSize(): void {
		const size = this.#state.ports[0]?.size ?? 0;
		const {columns, rows} = ConsoleSpace.read(this.#services.config);
		const bytes = PortSize.encode({columns: size & 0xffff, rows: size >>> 16});
		if (size !== ((rows << 16) | columns) >>> 0) this.#services.changeConfig(0, bytes);
	}

	/** Takes the guest's control messages. */
	#listen(queue: VirtQueue): void {
		const bytes = new Uint8Array(ControlMessage.size);
		for (let chain = queue.next(); chain !== undefined; chain = queue.next()) {
			if (chain.read(0, bytes)) this.#take(ControlMessage.read(bytes));
			queue.complete(chain, 0);
		}
		this.#services.serve(controlReceive);
	}

	#take({port: number, event, value}: ReturnType<typeof ControlMessage.read>): void {
		const {ports} = this.#state;
		if (event === ControlEvent.DEVICE_READY) {
			this.#services.locked(() => {
				this.#forget();
				this.#state.ready = value === 1 ? 1 : 0;
			});
			return;
		}
		const port = number < this.#ports.length ? ports[number] : undefined;
		if (port === undefined || (port.told & Told.ADDED) === 0) return;
		this.#services.locked(() => {
			if (event === ControlEvent.PORT_READY && value === 1) port.told |= Told.READY;
			if (event === ControlEvent.PORT_OPEN) port.open = value === 0 ? 0 : 1;
		});
		for (const queue of [transmitQueueOf(number), receiveQueueOf(number)]) this.#services.serve(queue);
	}

	/** Tells the guest what it does not know, a message in each of its buffers. */
	#tell(queue: VirtQueue): void {
		for (let number = 0; number < this.#ports.length; ) {
			const message = this.#services.locked(() => this.#next(number));
			if (message === undefined) {
				number++;
				continue;
			}
			const chain = queue.next();
			if (chain === undefined) return;
			this.#services.locked(message.told);
			queue.complete(chain, chain.write(0, message.bytes) ? message.bytes.length : 0);
		}
	}

	/** What there is to tell of a port next, and what is done when it has been. Under the lock. */
	#next(number: number): {readonly bytes: Uint8Array; readonly told: () => void} | undefined {
		const {config, state, isConnected} = this.#ports[number] as ConsolePort;
		const message = (event: keyof typeof ControlEvent, value: number, told: () => void, rest = new Uint8Array()) => {
			const head = ControlMessage.encode({port: number, event: ControlEvent[event], value});
			return {bytes: concatBytes(head, rest), told};
		};
		const note = (bit: number) => () => {
			state.told ^= bit;
		};
		const {told, size} = state;
		if (this.#state.ready === 0) return undefined;
		if (!isPlugged(config, state)) {
			if ((told & Told.ADDED) === 0) return undefined;
			return message('PORT_REMOVE', 1, () => forgetPort(state));
		}
		if ((told & Told.ADDED) === 0) return message('PORT_ADD', 1, note(Told.ADDED));
		if ((told & Told.READY) === 0) return undefined;
		if (config.console && (told & Told.CONSOLE) === 0) return message('CONSOLE_PORT', 1, note(Told.CONSOLE));
		if (config.name !== undefined && (told & Told.NAME) === 0)
			return message('PORT_NAME', 1, note(Told.NAME), new TextEncoder().encode(config.name));
		if (isConnected !== ((told & Told.OPEN) !== 0)) return message('PORT_OPEN', isConnected ? 1 : 0, note(Told.OPEN));
		if (!config.console || size === state.toldSize) return undefined;
		const shown = PortSize.encode({columns: size & 0xffff, rows: size >>> 16});
		return message(
			'RESIZE',
			1,
			() => {
				state.toldSize = size;
			},
			shown,
		);
	}

	/** The driver begins anew, and has been told nothing. Under the lock. */
	#forget(): void {
		this.#state.ready = 0;
		for (const port of this.#state.ports) forgetPort(port);
	}
}

function forgetPort(state: PortStateView): void {
	state.told = state.open = state.toldSize = 0;
}

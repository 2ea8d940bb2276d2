import type {InterruptLine} from '#devices/interrupts';
import {ByteRing} from '#support/shared-memory';
import type {FieldsView} from '#support/wire';
import {Fcr, fifoDepth, Ier, Iir, Lcr, Lsr, Mcr, Msr, Register, receiverTriggers} from './registers.ts';
import {type Serial16550Fields, Serial16550State} from './state.ts';

/** The UART's behaviour over its shared state. Every method runs under the device's lock. */
export class Uart {
	readonly transmit: ByteRing<'tx'>;
	readonly receive: ByteRing<'rx'>;
	readonly #loop: ByteRing<'loop'>;
	readonly #state: FieldsView<Serial16550Fields>;
	readonly #line: InterruptLine;

	constructor(state: FieldsView<Serial16550Fields>, line: InterruptLine) {
		this.#state = state;
		this.#line = line;
		this.transmit = new ByteRing(Serial16550State, state, 'tx');
		this.receive = new ByteRing(Serial16550State, state, 'rx');
		this.#loop = new ByteRing(Serial16550State, state, 'loop');
	}

	/** Recomputes what follows from the state: THRE and the interrupt line. Ends every access and every back action. */
	sync(): void {
		const state = this.#state;
		if (this.transmit.space < fifoDepth) state.transmitBlocked = 1;
		else if (state.transmitBlocked === 1) {
			state.transmitBlocked = 0;
			state.threPending = 1;
		}
		// On PCs the OUT2 output gates the interrupt (IBM Asynchronous Communications Adapter), as in OpenVMM.
		this.#line.setLevel(this.#interrupt() !== Iir.NONE && (state.mcr & Mcr.OUT2) !== 0);
	}

	/** The back's view of the other end. A change shows in the modem lines and their change bits. */
	setConnected(connected: boolean): void {
		const before = this.#modemLines();
		this.#state.connected = connected ? 1 : 0;
		this.#latchModemChanges(before);
	}

	/** True when the guest is ready for input from the host. */
	wantsInput(waitForRts: boolean): boolean {
		const ready = Mcr.DTR | Mcr.RTS;
		return this.receive.space > 0 && (!waitForRts || (this.#state.mcr & ready) === ready);
	}

	/** Reads a register, with its side effects. */
	read(register: number): number {
		const state = this.#state;
		const latch = (state.lcr & Lcr.DLAB) !== 0;
		switch (register) {
			case Register.RBR_THR_DLL:
				return latch ? state.dll : this.#readReceiver();
			case Register.IER_DLM:
				return latch ? state.dlm : state.ier;
			case Register.IIR_FCR:
				return this.#readInterrupt();
			case Register.LCR:
				return state.lcr;
			case Register.MCR:
				return state.mcr;
			case Register.LSR:
				return this.#readLineStatus();
			case Register.MSR:
				return this.#readModemStatus();
			case Register.SCR:
				return state.scr;
			default:
				return 0xff;
		}
	}

	/** Writes a register. A byte for the transmitter is returned to the caller, who knows where it goes; else -1. */
	write(register: number, value: number): number {
		const state = this.#state;
		const latch = (state.lcr & Lcr.DLAB) !== 0;
		switch (register) {
			case Register.RBR_THR_DLL:
				if (!latch) return this.#writeTransmitter(value);
				state.dll = value;
				break;
			case Register.IER_DLM:
				if (latch) state.dlm = value;
				else this.#writeEnables(value & Ier.MASK);
				break;
			case Register.IIR_FCR:
				this.#writeFifoControl(value);
				break;
			case Register.LCR:
				state.lcr = value;
				break;
			case Register.MCR:
				this.#writeModemControl(value & Mcr.MASK);
				break;
			case Register.SCR:
				state.scr = value;
				break;
			// LSR and MSR are for reading; writing LSR is a factory test (8.6.3).
		}
		return -1;
	}

	/** Bytes the guest could read now: looped back ones first; the host's wait while loop-back is on. */
	#readable(): number {
		return this.#loop.length + ((this.#state.mcr & Mcr.LOOP) !== 0 ? 0 : this.receive.length);
	}

	/** The pending source of the highest priority, as IIR shows it (table IV). */
	#interrupt(): number {
		const {ier, lineErrors, fifoMode, trigger, threPending, transmitBlocked, modemChanges} = this.#state;
		if ((ier & Ier.ELSI) !== 0 && lineErrors !== 0) return Iir.LINE_STATUS;
		const readable = (ier & Ier.ERBFI) !== 0 ? this.#readable() : 0;
		if (readable > 0) {
			const threshold = fifoMode === 1 ? (receiverTriggers[trigger & 3] as number) : 1;
			// The timeout counts four character times without a new byte: under a millisecond, so it has always passed.
			return readable >= threshold ? Iir.DATA_AVAILABLE : Iir.CHARACTER_TIMEOUT;
		}
		if ((ier & Ier.ETBEI) !== 0 && threPending === 1 && transmitBlocked === 0) return Iir.THR_EMPTY;
		if ((ier & Ier.EDSSI) !== 0 && modemChanges !== 0) return Iir.MODEM_STATUS;
		return Iir.NONE;
	}

	#readReceiver(): number {
		const looped = this.#loop.shift();
		if (looped >= 0) return looped;
		if ((this.#state.mcr & Mcr.LOOP) !== 0) return 0;
		const byte = this.receive.shift();
		return byte < 0 ? 0 : byte;
	}

	#readInterrupt(): number {
		const source = this.#interrupt();
		if (source === Iir.THR_EMPTY) this.#state.threPending = 0;
		return source | (this.#state.fifoMode === 1 ? Iir.FIFOS_ENABLED : 0);
	}

	#readLineStatus(): number {
		const state = this.#state;
		const ready = this.#readable() > 0 ? Lsr.DR : 0;
		const empty = state.transmitBlocked === 0 ? Lsr.THRE | Lsr.TEMT : 0;
		const value = ready | empty | state.lineErrors;
		state.lineErrors = 0;
		return value;
	}

	#readModemStatus(): number {
		const value = this.#modemLines() | this.#state.modemChanges;
		this.#state.modemChanges = 0;
		return value;
	}

	/** CTS, DSR, RI and DCD; in loop-back mode the four outputs, wired to them (8.6.7). */
	#modemLines(): number {
		const {mcr, connected} = this.#state;
		if ((mcr & Mcr.LOOP) === 0) return connected === 1 ? Msr.CTS | Msr.DSR | Msr.DCD : 0;
		return (
			((mcr & Mcr.RTS) !== 0 ? Msr.CTS : 0) |
			((mcr & Mcr.DTR) !== 0 ? Msr.DSR : 0) |
			((mcr & Mcr.OUT1) !== 0 ? Msr.RI : 0) |
			((mcr & Mcr.OUT2) !== 0 ? Msr.DCD : 0)
		);
	}

	#latchModemChanges(before: number): void {
		const after = this.#modemLines();
		const changed = before ^ after;
		const ringEnded = (before & ~after & Msr.RI) !== 0;
		this.#state.modemChanges |= ((changed & (Msr.CTS | Msr.DSR | Msr.DCD)) >> 4) | (ringEnded ? Msr.TERI : 0);
	}

	/** Sending takes no time here, so the holding register is empty again at once, unless the ring is full. */
	#writeTransmitter(value: number): number {
		this.#state.threPending = 1;
		if ((this.#state.mcr & Mcr.LOOP) === 0) return value;
		this.#loopBack(value);
		return -1;
	}

	/** The receiver keeps its FIFO and loses the new byte; without FIFOs the new byte replaces the old (8.6.3). */
	#loopBack(value: number): void {
		const state = this.#state;
		const full = this.#loop.length >= (state.fifoMode === 1 ? fifoDepth : 1);
		if (full) {
			state.lineErrors |= Lsr.OE;
			state.rxDropped++;
			if (state.fifoMode === 1) return;
			this.#loop.clear();
		}
		this.#loop.push(value);
	}

	/** Enabling the THRE interrupt while the transmitter is empty raises it, which drivers count on to begin sending. */
	#writeEnables(value: number): void {
		const state = this.#state;
		if ((value & ~state.ier & Ier.ETBEI) !== 0) state.threPending = 1;
		state.ier = value;
	}

	/** Resetting the transmitter's FIFO loses nothing: its bytes have left already. */
	#writeFifoControl(value: number): void {
		const state = this.#state;
		const enable = (value & Fcr.ENABLE) !== 0 ? 1 : 0;
		if (enable !== state.fifoMode || (enable === 1 && (value & Fcr.RESET_RECEIVER) !== 0)) this.#resetReceiver();
		state.fifoMode = enable;
		// The other bits are not programmed unless the enable bit is written with them (8.6.4).
		state.trigger = enable === 1 ? value >> Fcr.TRIGGER_SHIFT : 0;
	}

	/** Drops what the receiver's FIFO holds. Bytes beyond its depth have not arrived yet, as seen by the guest. */
	#resetReceiver(): void {
		const looped = this.#loop.length;
		this.#loop.clear();
		const inFifo = Math.min(this.receive.length, this.#state.fifoMode === 1 ? fifoDepth : 1);
		this.receive.consume(inFifo);
		this.#state.rxDropped += looped + inFifo;
	}

	#writeModemControl(value: number): void {
		const before = this.#modemLines();
		this.#state.mcr = value;
		this.#latchModemChanges(before);
	}
}

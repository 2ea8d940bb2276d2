import {ringFields} from '#support/shared-memory';
import {bytes, f64, i32, u8, wire} from '#support/wire';
import {keyboardDefaults} from './keyboard-commands.ts';
import {longestPacket, mouseDefaults} from './mouse-commands.ts';
import {Ps2} from './ps2.ts';
import {Mode} from './registers.ts';

/** Room for the longest answer of a PS/2 device. */
const replyCapacity = 8;

/** The shared state of the keyboard controller, the keyboard and the mouse. */
export const I8042State = wire('i8042', {
	mode: u8.initial(Mode.INITIAL),
	/** Byte at the data port; stays readable after it was taken. */
	output: u8.sensitive(),
	/** {@link Source} of the byte in `output`; NONE when it was read. */
	source: u8,
	/** The controller's own answer that waits for `output` to be read. */
	answer: u8,
	/** Source that `answer` will appear to come from; NONE when there is none. */
	answerSource: u8,
	/** Command that waits for its data byte; 0 for none. */
	pending: u8,
	/** 1 when the latest write was a command. */
	lastWasCommand: u8,

	/** Keyboard command that waits for its argument; 0 for none. */
	keyboardPending: u8,
	/** 1 while keys are reported. */
	keyboardScanning: u8.initial(1),
	/** Scan code set: 1, 2 or 3. */
	keyboardSet: u8.initial(keyboardDefaults.set),
	/** Scroll Lock, Num Lock and Caps Lock from bit 0 on. */
	keyboardLeds: u8,
	/** Repeat rate and delay as the guest set them. */
	keyboardTypematic: u8.initial(keyboardDefaults.typematic),
	/** Latest byte sent, for a resend. */
	keyboardLast: u8.initial(Ps2.TEST_PASSED).sensitive(),
	/** Keys pressed or released that found no room in the queue. */
	keysDropped: f64,
	...ringFields('keyboardReply', replyCapacity),
	...ringFields('keyboard', 16),

	/** Mouse command that waits for its argument; 0 for none. */
	mousePending: u8,
	/** 0 as a PS/2 mouse, 3 with a wheel, 4 with a wheel and five buttons. */
	mouseId: u8,
	/** 1 while movements are reported in stream mode. */
	mouseReporting: u8,
	/** 1 in remote mode: movements are reported when asked for. */
	mouseRemote: u8,
	/** 1 in wrap mode: bytes are sent back. */
	mouseWrap: u8,
	/** 1 with 2:1 scaling. */
	mouseScaling: u8,
	mouseResolution: u8.initial(mouseDefaults.resolution),
	mouseRate: u8.initial(mouseDefaults.rate),
	/** The sample rates set before `mouseRate`, latest first: a series of three tells the mouse what the driver knows. */
	mouseRates: bytes(2),
	/** Pressed buttons: left, right, middle, fourth, fifth from bit 0 on. */
	mouseButtons: u8,
	/** 1 when there is something to report. */
	mouseChanged: u8,
	/** Movement since the latest report: right, up, and the wheel towards the user are positive. */
	mouseX: i32,
	mouseY: i32,
	mouseZ: i32,
	/** The latest packet or answer, for a resend, and its length. */
	mouseLast: bytes(longestPacket + 1),
	mouseLastLength: u8,
	...ringFields('mouseReply', replyCapacity),
	...ringFields('mouse', 64),
});

/** Fields of {@link I8042State}. */
export type I8042Fields = (typeof I8042State)['fields'];

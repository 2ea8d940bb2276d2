import {array, f64, i32, reserved, u8, type ViewOf, wire} from '#support/wire';

/** Ports that a switch has. */
export const mostPorts = 32;
/** Addresses that a port is known by: those that were sent from last. */
export const addressesPerPort = 64;
/** Room for frames that a port has not taken yet; each is up to a sixteenth of that. */
export const ringBytes: number = 2 ** 20;

/** Letters of a guest's name: a label of DNS. */
export const mostName = 64;

/** Port states. */
export const PortState = {FREE: 0, TAKEN: 1, RUNNING: 2} as const;

/** One port of a switch, in memory that all of them have. */
export const SwitchPort = wire('switch-port', {
	/** Of {@link PortState}. */
	state: i32,
	/** An eventfd of this process, signalled when there are frames where there were none. */
	wakeFd: i32,
	/** Held by whoever puts frames in, and by the port itself while it comes or goes. */
	lock: i32,
	/** Bytes that have been put in and that have been taken out since the port came, modulo 2^32. */
	head: i32,
	tail: i32,
	/** Frames that were lost since there was no room. */
	lost: i32,
	/** Counts who have had it. */
	epoch: i32,
	/** Of the first port alone: 1 and the number of the port that a network has, which is the only one; 0 for none. */
	network: i32,
	padding: reserved(4),
	/** Letters of its guest's name, and the name in ASCII; none where nobody has said one. */
	nameLength: i32,
	name: array(u8, mostName),
	/** Bytes that each port has put in that have not been taken out. */
	queued: array(i32, mostPorts),
	/** Ethernet addresses as numbers; 0 for none. The port alone adds any, others take away what has moved to them. */
	addresses: array(f64, addressesPerPort),
});
export type SwitchPortView = ViewOf<typeof SwitchPort>;

/** What stands before each frame in a ring: all but the frame's bytes. */
export const FrameHeader = wire('switch-frame', {
	length: i32,
	from: i32,
	/** The sender's at that time: somebody else may have its port by now. */
	epoch: i32,
	padding: i32,
	needsChecksum: i32,
	checksumStart: i32,
	checksumOffset: i32,
	isChecked: i32,
	segmentation: i32,
	segmentBytes: i32,
});

const portBytes = SwitchPort.byteLength + ringBytes;
export const switchBytes: number = mostPorts * portBytes;

/** A port of a switch. */
export const portOf = (memory: SharedArrayBuffer, port: number): SwitchPortView =>
	SwitchPort.on(memory, port * portBytes);

/** Its ring. */
export const ringOf = (memory: SharedArrayBuffer, port: number): Uint8Array<SharedArrayBuffer> =>
	new Uint8Array(memory, port * portBytes + SwitchPort.byteLength, ringBytes);

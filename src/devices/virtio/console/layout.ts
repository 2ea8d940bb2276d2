import {packed, u16, u32} from '#support/wire';

/** Device configuration space (virtio 1.2, 5.3.4). */
export const ConsoleSpace = packed('virtio_console_config', {
	/** Of the first port, in characters; 0 where nobody has said. */
	columns: u16,
	rows: u16,
	portsMost: u32,
	/** The driver writes a character, at any time. */
	emergency: u32,
}).sized(12, 'virtio 1.2, 5.3.4');

/** A message on a control queue (5.3.6.2); a name or a size follows some. */
export const ControlMessage = packed('virtio_console_control', {port: u32, event: u16, value: u16}).sized(
	8,
	'virtio 1.2, 5.3.6.2',
);

/** Behind a message of {@link ControlEvent.RESIZE} (5.3.6.2.1). */
export const PortSize = packed('virtio_console_resize', {columns: u16, rows: u16}).sized(4, 'virtio 1.2, 5.3.6.2');

/** Events of control messages (5.3.6.2). */
export const ControlEvent = {
	DEVICE_READY: 0,
	PORT_ADD: 1,
	PORT_REMOVE: 2,
	PORT_READY: 3,
	CONSOLE_PORT: 4,
	RESIZE: 5,
	PORT_OPEN: 6,
	PORT_NAME: 7,
} as const;

/** Queues (5.3.2): the first port's, those for control messages, those of the other ports. */
export const [controlReceive, controlTransmit] = [2, 3];
export const receiveQueueOf = (port: number): number => (port === 0 ? 0 : 2 + 2 * port);
export const transmitQueueOf = (port: number): number => receiveQueueOf(port) + 1;

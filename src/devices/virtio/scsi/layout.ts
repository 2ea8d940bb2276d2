import {bytes, packed, u8, u16, u32, u64} from '#support/wire';

/** Device configuration space (virtio 1.2, 5.6.4). */
export const ScsiConfig = packed('virtio_scsi_config', {
	requestQueues: u32,
	segmentsMost: u32,
	sectorsMost: u32,
	commandsPerUnit: u32,
	eventBytes: u32,
	/** Written by the driver. */
	senseBytes: u32,
	cdbBytes: u32,
	channelMost: u16,
	targetMost: u16,
	lunMost: u32,
}).sized(36, 'virtio 1.2, 5.6.4');

/** Header of a command (5.6.6.1), before its descriptor block. */
export const CommandHeader = packed('virtio_scsi_cmd_req', {
	lun: bytes(8),
	id: u64,
	attribute: u8,
	priority: u8,
	reference: u8,
}).sized(19, 'virtio 1.2, 5.6.6.1');

/** Before its sense data, and those before what it reads. */
export const CommandResponse = packed('virtio_scsi_cmd_resp', {
	senseLength: u32,
	residual: u32,
	qualifier: u16,
	status: u8,
	response: u8,
}).sized(12, 'virtio 1.2, 5.6.6.1');

/** Driver's requests on the control queue (5.6.6.2): what all have in common. */
export const ControlHeader = packed('virtio_scsi_ctrl', {type: u32}).sized(4, 'virtio 1.2, 5.6.6.2');
export const ManagementRequest = packed('virtio_scsi_ctrl_tmf', {
	type: u32,
	function: u32,
	lun: bytes(8),
	id: u64,
}).sized(24, 'virtio 1.2, 5.6.6.2');
export const NotificationResponse = packed('virtio_scsi_ctrl_an_resp', {actual: u32, response: u8}).sized(5);
/** Type, unit and events of a request about asynchronous notifications. */
export const notificationRequestBytes = 16;

/** An event (5.6.6.3). */
export const ScsiEvent = packed('virtio_scsi_event', {event: u32, lun: bytes(8), reason: u32}).sized(16, '5.6.6.3');

export const Response = {
	OK: 0,
	OVERRUN: 1,
	ABORTED: 2,
	BAD_TARGET: 3,
	RESET: 4,
	FAILURE: 9,
	FUNCTION_SUCCEEDED: 10,
	FUNCTION_REJECTED: 11,
	INCORRECT_LUN: 12,
} as const;

export const ControlType = {MANAGEMENT: 0, NOTIFICATION_QUERY: 1, NOTIFICATION_SUBSCRIBE: 2} as const;

/** Task management functions. */
export const Management = {
	ABORT_TASK: 0,
	ABORT_TASK_SET: 1,
	CLEAR_TASK_SET: 3,
	NEXUS_RESET: 4,
	UNIT_RESET: 5,
	QUERY_TASK: 6,
	QUERY_TASK_SET: 7,
} as const;

/** Types of {@link ScsiEvent}, and reasons of the first. */
export const EventType = {TRANSPORT_RESET: 1, PARAMETER_CHANGE: 3} as const;
export const ResetReason = {RESCAN: 1, REMOVED: 2} as const;

/** The unit of such an address (5.6.6.1): of target 0, by flat or peripheral addressing; undefined for any other. */
export function lunOf(address: Uint8Array): number | undefined {
	const high = address[2] as number;
	const isKnown = address[0] === 1 && address[1] === 0 && (high >>> 6 === 1 || high === 0);
	return isKnown ? (high & 0x3f) * 256 + (address[3] as number) : undefined;
}

/** The address of a unit below 256 in events: as lists of units have it, or Linux finds none. */
export const addressOf = (lun: number): Uint8Array => Uint8Array.of(1, 0, 0, lun, 0, 0, 0, 0);

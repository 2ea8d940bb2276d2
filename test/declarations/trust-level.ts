import type {Hypercall} from '#devices/device';
import {deviceType} from '#devices/device-type';
import {below, oneOf, unchecked} from '#support/trust';
import {array, bytes, GuestReader, packed, reserved, u8, u32, u64, wire} from '#support/wire';

/** Call codes (Hyper-V TLFS, "HvCallEnablePartitionVtl", "HvCallEnableVpVtl"), and the bit of a call whose input is in registers. */
export const [enablePartitionVtl, enableVpVtl, fastCall] = [0x0d, 0x0f, 0x1_0000];
/** TLFS, "Hypercall Status Codes". */
export const Status = {SUCCESS: 0, INVALID_INPUT: 3, INVALID_PARAMETER: 5, INVALID_STATE: 7, INVALID_VP: 14} as const;
export const EnableVpVtl = packed('hv_enable_vp_vtl', {
	partition: u64,
	vp: u32,
	vtl: u8,
	padding: reserved(3),
	context: bytes(224),
}).sized(240, 'TLFS, HvCallEnableVpVtl');
/** HV_PARTITION_ID_SELF, HV_VP_INDEX_SELF. */
const [selfPartition, selfVp] = [0xffff_ffff_ffff_ffffn, 0xffff_fffe];
const mostProcessors = 64;
/** What a processor begins with when it first enters the level. */
const Processor = wire('vp-vtl', {enabled: u32, context: bytes(224)});
const State = wire('trust-level', {enabled: u32, processors: array(Processor, mostProcessors)});

/** Trust level 1 as the calls that set it up; entering it takes another set of registers, and protections of pages. */
export const trustLevelType = deviceType({
	kind: 'trust-level',
	summary: 'Virtual trust level 1',
	options: {processors: {type: 'number', min: 1, max: mostProcessors, default: 1, help: 'of the machine'}},
	state: State,
	attach: {
		regions: () => [
			{space: 'hypercall', name: 'enable-partition-vtl', base: enablePartitionVtl, length: 1},
			{space: 'hypercall', name: 'enable-vp-vtl', base: enableVpVtl, length: 1},
		],
	},
	front({processors}, state, {access, memory}) {
		const reader = new GuestReader(EnableVpVtl, memory);
		const enablePartition = ({control, input, output}: Hypercall): number => {
			if ((control.low & fastCall) === 0) return Status.INVALID_INPUT;
			const isSelf = input.low === 0xffff_ffff && input.high === 0xffff_ffff;
			if (!isSelf || (output.low & 0xff) !== 1) return Status.INVALID_PARAMETER;
			if (state.enabled !== 0) return Status.INVALID_STATE;
			state.enabled = 1;
			return Status.SUCCESS;
		};
		const enableProcessor = ({control, input}: Hypercall): number => {
			const call = (control.low & fastCall) === 0 ? reader.load(input.high * 2 ** 32 + input.low) : undefined;
			if (call === undefined) return Status.INVALID_INPUT;
			if (unchecked(call.partition) !== selfPartition || oneOf(call.vtl, [1]) === undefined)
				return Status.INVALID_PARAMETER;
			const vp = oneOf(call.vp, [selfVp]) === undefined ? below(call.vp, processors) : access.vp;
			const processor = vp === undefined ? undefined : state.processors[vp];
			if (processor === undefined) return Status.INVALID_VP;
			if (state.enabled === 0 || processor.enabled !== 0) return Status.INVALID_STATE;
			processor.enabled = 1;
			processor.context.set(call.context);
			return Status.SUCCESS;
		};
		return {
			read: () => 0,
			write() {},
			hypercall(region, _offset, call) {
				call.result.low = region === 0 ? enablePartition(call) : enableProcessor(call);
			},
		};
	},
});

import {deviceType, type HostReport} from '#devices/device-type';
import {limitNodes, monotonicClock, TokenBuckets} from '#devices/limits';
import {CaptureCounters} from '#devices/network/capture';
import {limitsOption, NicBuckets, nicLimitTable} from '#devices/network/limit';
import {endpointForms, endpointOption, endpointReport} from '#devices/network/source';
import {mmioOptions, mmioPlace, type OnMmio} from '#devices/virtio/device';
import {object} from '#support/inspect';
import type {OptionTable} from '#support/options';
import {captureOffset, counterNodes, endpointOffset, limitsOffset, NetCounters} from './counters.ts';
import {virtioNetFlags} from './flags.ts';
import {leastMtu, mostMtu, mostPairs, usualMtu, type VirtioNetConfig, virtioNetKind} from './handle.ts';
import {type LinkCommand, virtioNetMmio, virtioNetPci} from './virtio-net.ts';

const options = {
	endpoint: {
		type: endpointOption,
		default: {kind: 'none'},
		host: true,
		help: `what carries its frames: ${endpointForms}`,
	},
	mac: {
		type: 'text',
		example: '00:15:5d:01:02:03',
		host: true,
		help: 'its address, of each NIC another; a guest that goes on from a snapshot has the one that it had',
	},
	mtu: {type: 'number', min: leastMtu, max: mostMtu, default: usualMtu, help: 'bytes of a packet'},
	queues: {type: 'number', min: 1, max: mostPairs, default: 1, example: 2, help: 'pairs of queues'},
	capture: {
		type: 'path',
		use: 'output',
		optional: true,
		example: '/tmp/frames.pcapng',
		host: true,
		help: 'a file that frames are written to as they pass, in pcapng, which is made or emptied',
	},
	limits: {
		type: limitsOption,
		optional: true,
		example: {bps_tx: 10_000_000},
		host: true,
		help: 'how much it may pass on in a second: bps_tx=10M;pps=5000, see the flag',
	},
	packed: {type: 'flag', default: true, help: 'rings may be packed, if the driver knows that format'},
} as const satisfies OptionTable;

const report = ({endpoint, capture}: VirtioNetConfig, memory: SharedArrayBuffer): HostReport => {
	const counters = NetCounters.on(memory);
	const own = endpointReport(endpoint, memory, endpointOffset);
	const share = NicBuckets.on(memory, limitsOffset);
	const buckets = new TokenBuckets(nicLimitTable, share, monotonicClock());
	const captured = CaptureCounters.on(memory, captureOffset);
	return {
		nodes: () => ({
			...counterNodes(counters),
			limits: object(() => ({
				...limitNodes(buckets),
				sentThrottled: share.sentThrottled,
				receivedThrottled: share.receivedThrottled,
			})),
			...(capture !== undefined && {
				capture: object(() => ({
					file: capture,
					frames: captured.frames,
					lost: captured.lost,
					failed: captured.failed !== 0,
				})),
			}),
			...(own !== undefined && {[endpoint.kind]: object(() => own.nodes())}),
		}),
		notices: () => own?.notices?.() ?? [],
	};
};

const summary = 'A NIC';
const link: LinkCommand = {kind: 'link', up: false};
const commands = [{...link}];

/** NICs as machines have them on PCI Express. */
export const virtioNetPciType = deviceType({
	...virtioNetPci,
	kind: virtioNetKind,
	summary,
	commands,
	report,
	options,
	flags: virtioNetFlags,
});

/** The same on MMIO. */
export const virtioNetMmioType = deviceType({
	...virtioNetMmio,
	kind: `${virtioNetKind}-mmio`,
	summary: `${summary}, on MMIO`,
	commands,
	report,
	options: {...options, ...mmioOptions},
	configure: ({base, irq, ...nic}): OnMmio<VirtioNetConfig> => ({
		...nic,
		...mmioPlace({base, ...(irq !== undefined && {irq})}),
	}),
});

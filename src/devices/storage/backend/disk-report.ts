import type {DeviceNotice, HostReport} from '#devices/device-type';
import {limitNodes, monotonicClock, TokenBuckets} from '#devices/limits';
import {DiskError, diskMovers} from '#devices/storage/disk';
import {byteCount, type Children, duration, integerWriter, leaf, object} from '#support/inspect';
import {hangSeconds} from './hang-watch.ts';
import {boundOf, bucketCount, quantile} from './latency.ts';
import {type LimitName, limitTable} from './limits.ts';
import {type ErrorAction, errorActions} from './policy.ts';
import {
	countedOperations,
	type DiskShareView,
	diskShare,
	UnderWay,
	type WorkerShareView,
	workerShare,
} from './share.ts';

/** A disk in the memory that its workers share, as the machine's owner reads it. */
class DiskReport {
	readonly #disk: number;
	readonly #share: DiskShareView;
	readonly #buckets: TokenBuckets<LimitName>;
	readonly #workers: readonly WorkerShareView[];
	readonly #told: number[];
	#toldResizes = 0;
	#toldHangs = 0;
	#toldAnswers = 0;

	/** @param offset - where the disk's memory begins; @param workers - of the device */
	constructor(disk: number, memory: SharedArrayBuffer, offset: number, workers: number) {
		this.#disk = disk;
		this.#share = diskShare(memory, offset);
		this.#buckets = new TokenBuckets(limitTable, this.#share, monotonicClock());
		this.#workers = Array.from({length: workers}, (_, worker) => workerShare(memory, offset, worker));
		this.#told = this.#workers.map(() => 0);
	}

	/** Errors of the host since the last call, the latest of each worker, of what its owner has asked for, and whether the host answers. */
	notices(): readonly DeviceNotice[] {
		return [...this.#resizeNotices(), ...this.#hangNotices(), ...this.#failureNotices()];
	}

	/** In their order, of which there are two at most: a hang takes longer than it is to the next call. */
	#hangNotices(): readonly DeviceNotice[] {
		const {hung, hangs, answers, hungOperation, hungMover, hungOffset, hungLength, hungNs} = this.#share;
		const all: DeviceNotice[] = [];
		const disk = this.#disk;
		if (hangs !== this.#toldHangs && hangs !== 0) {
			const operation = countedOperations[hungOperation] ?? 'read';
			const mover = diskMovers[hungMover] ?? 'memory';
			all.push({
				kind: 'disk-hangs',
				message: `Disk ${disk}: ${operation} of ${hungLength} bytes at ${hungOffset} has had no answer of the host for ${hangSeconds} s (by ${mover}); the guest waits`,
				details: {disk, operation, offset: hungOffset, length: hungLength, mover, seconds: hangSeconds},
				pauses: false,
			});
		}
		if (answers !== this.#toldAnswers && answers !== 0) {
			const seconds = Math.round(hungNs / 1e9);
			const message = `Disk ${disk} answers again: the host took ${seconds} s`;
			all.push({kind: 'disk-answers', message, details: {disk, seconds}, pauses: false});
		}
		this.#toldHangs = hangs;
		this.#toldAnswers = answers;
		return hung > 0 ? all.reverse() : all;
	}

	#resizeNotices(): readonly DeviceNotice[] {
		const {resizeFailures, resizeReason, resizeReasonBytes} = this.#share;
		if (resizeFailures === this.#toldResizes || resizeFailures === 0) return [];
		this.#toldResizes = resizeFailures;
		const why = new TextDecoder().decode(resizeReason.slice(0, resizeReasonBytes));
		const message = `Disk ${this.#disk} stays as long as it is (${why})`;
		return [{kind: 'disk-length', message, details: {disk: this.#disk, why}, pauses: false}];
	}

	#failureNotices(): readonly DeviceNotice[] {
		return this.#workers.flatMap((share, worker) => {
			const {failures} = share;
			const count = (failures - (this.#told[worker] as number)) >>> 0;
			// The memory of a device that is no more has been given back.
			if (count === 0 || failures === 0) return [];
			this.#told[worker] = failures;
			return [this.#notice(share, count)];
		});
	}

	nodes(): Children {
		const sum = (of: (share: WorkerShareView) => number) => this.#workers.reduce((all, share) => all + of(share), 0);
		return {
			inFlight: sum(({underWay}) => underWay[UnderWay.ALL] as number),
			waiting: sum(({underWay}) => underWay[UnderWay.WAITING] as number),
			throttled: sum(({throttled}) => throttled),
			throttledTime: duration(sum(({throttledNs}) => throttledNs)),
			failures: sum(({failures}) => failures),
			overdue: this.#share.overdue,
			hung: this.#share.hung,
			size: byteCount(this.#share.bytes),
			newSize: leaf(() => this.#share.wantedBytes, {
				unit: 'bytes',
				writer: integerWriter(0, mostBytes, (bytes) => {
					this.#share.wantedBytes = bytes;
				}),
			}),
			limits: object(() => limitNodes(this.#buckets)),
			...Object.fromEntries(
				countedOperations.map((name, operation) => [name, object(() => this.#operationNodes(operation))]),
			),
		};
	}

	#notice(
		{
			failedOperation,
			failedError,
			failedAction,
			failedOffset,
			failedLength,
			failedReason,
			failedReasonBytes,
		}: WorkerShareView,
		count: number,
	) {
		const operation = countedOperations[failedOperation] ?? 'read';
		const [error, what] = failures[failedError] ?? ioFailure;
		const why = new TextDecoder().decode(failedReason.slice(0, failedReasonBytes));
		const action = errorActions[failedAction] ?? 'report';
		const details = {disk: this.#disk, operation, offset: failedOffset, length: failedLength, action, count};
		return {
			kind: 'disk-error',
			message: `Disk ${this.#disk}: ${operation} of ${failedLength} bytes at ${failedOffset} ${what}${why === '' ? '' : ` (${why})`}${count > 1 ? `, and ${count - 1} more` : ''}; ${consequences[action]}`,
			details: {...details, error, ...(why !== '' && {why})},
			pauses: action === 'stop',
		};
	}

	#operationNodes(operation: number): Children {
		const sum = (of: (share: WorkerShareView) => Float64Array) =>
			this.#workers.reduce((all, share) => all + (of(share)[operation] as number), 0);
		const requests = sum((share) => share.requests);
		const buckets = Array.from({length: bucketCount}, (_, bucket) =>
			this.#workers.reduce((all, {latencies}) => all + (latencies[operation * bucketCount + bucket] as number), 0),
		);
		if (requests === 0) return {requests};
		return {
			requests,
			bytes: byteCount(sum((share) => share.bytes)),
			errors: sum((share) => share.errors),
			mean: duration(Math.round(sum((share) => share.totalNs) / requests)),
			...Object.fromEntries(
				Object.entries(quantiles).map(([name, share]) => [name, duration(quantile(buckets, share))]),
			),
			buckets: object(() =>
				Object.fromEntries(
					buckets.flatMap((count, bucket) => (count === 0 ? [] : [[`below${boundOf(bucket)}ns`, count] as const])),
				),
			),
		};
	}
}

/** No image is longer; see the formats. */
const mostBytes = 2 ** 50;

/** Errors of the host's: as data, and in words. */
const ioFailure = ['io', 'fails on the host'] as const;
const failures: Readonly<Record<number, readonly [error: string, words: string]>> = {
	[DiskError.NO_SPACE]: ['no-space', 'has no room on the host'],
	[DiskError.TIMEOUT]: ['timeout', 'has no answer of the host'],
};

const consequences: Readonly<Record<ErrorAction, string>> = {
	report: 'the guest is told',
	ignore: 'the guest is not told',
	stop: 'the machine pauses, and tries again when it is resumed',
};

const quantiles = {p50: 0.5, p90: 0.9, p99: 0.99, p999: 0.999} as const;

/** A disk of a device: its number, and where its memory begins. */
export interface ReportedDisk {
	readonly disk: number;
	readonly offset: number;
}

/** What there is to tell of a device's disks: see `DeviceType.report`. */
export function diskReport(disks: readonly ReportedDisk[], memory: SharedArrayBuffer, workers: number): HostReport {
	const reports = disks.map(({disk, offset}) => [disk, new DiskReport(disk, memory, offset, workers)] as const);
	return {
		nodes: () => ({
			disks: object(() => Object.fromEntries(reports.map(([disk, report]) => [disk, object(() => report.nodes())]))),
		}),
		notices: () => reports.flatMap(([, report]) => report.notices()),
	};
}

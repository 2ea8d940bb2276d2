import {concatBytes} from '#support/wire';
import type {ScsiRequest} from './scsi-request.ts';
import type {ScsiUnit} from './scsi-unit.ts';
import {Senses} from './sense.ts';

/** Numbers of tracks in a table of contents (MMC-6, 6.25). */
const [onlyTrack, leadOut] = [1, 0xaa];
/** A track of data, recorded without interruption; the address is a position (ADR 1). */
const dataTrack = 0x14;
/** Frames of the two seconds before the first block. */
const pregap = 150;

/** READ TOC/PMA/ATIP: the contents of a disc with one track of data. */
export function readToc(unit: ScsiUnit, request: ScsiRequest): void {
	const {cdb} = request;
	const inTime = (cdb.byte(1) & 0x02) !== 0;
	const track = cdb.byte(6);
	// Before formats had bits of their own they were in the last byte.
	const format = cdb.byte(2) & 0x0f || cdb.byte(9) >>> 6;
	const body = tableOf(format, track, unit.blocks, inTime);
	if (body === undefined) request.fail(Senses.INVALID_FIELD);
	else {
		const length = body.length + 2;
		request.give(concatBytes(Uint8Array.of(length >>> 8, length & 0xff, onlyTrack, onlyTrack), body), cdb.u16(7));
	}
}

function tableOf(format: number, track: number, blocks: number, inTime: boolean): Uint8Array | undefined {
	const entry = (number: number, block: number) => Uint8Array.of(0, dataTrack, number, 0, ...address(block, inTime));
	switch (format) {
		case 0:
			if (track > onlyTrack && track !== leadOut) return undefined;
			return concatBytes(...(track === leadOut ? [] : [entry(onlyTrack, 0)]), entry(leadOut, blocks));
		case 1:
			return entry(onlyTrack, 0);
		case 2:
			return concatBytes(
				raw(0xa0, [onlyTrack, 0, 0]),
				raw(0xa1, [onlyTrack, 0, 0]),
				raw(0xa2, time(blocks)),
				raw(onlyTrack, time(0)),
			);
		default:
			return undefined;
	}
}

/** An entry of the only session, as it is in the lead-in. */
const raw = (point: number, position: readonly number[]): Uint8Array =>
	Uint8Array.of(onlyTrack, dataTrack, 0, point, 0, 0, 0, 0, ...position);

function address(block: number, inTime: boolean): readonly number[] {
	if (inTime) return [0, ...time(block)];
	return [24, 16, 8, 0].map((shift) => (Math.min(block, 0xffff_ffff) >>> shift) & 0xff);
}

/** Minute, second and frame; a disc longer than there are minutes ends with the last of them. */
function time(block: number): readonly number[] {
	const frames = Math.min(block + pregap, 256 * 60 * 75 - 1);
	return [Math.floor(frames / 75 / 60), Math.floor(frames / 75) % 60, frames % 75];
}

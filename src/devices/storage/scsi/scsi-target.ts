import {concatBytes} from '#support/wire';
import {absentInquiry} from './identification.ts';
import {Opcode} from './opcodes.ts';
import type {RequestOwner, ScsiRequest} from './scsi-request.ts';
import type {ScsiUnit} from './scsi-unit.ts';
import {encodeSense, Senses} from './sense.ts';
import {Attention} from './unit-state.ts';

/** Largest number of a unit: such as peripheral device addressing has (SAM-5, 4.7.7.2). */
export const mostLun = 255;

const absent: RequestOwner = {hasDescriptors: false, requestEnded() {}};

/** The logical units behind one address, as one thread has them. */
export class ScsiTarget {
	readonly units: readonly ScsiUnit[];
	readonly #byLun: ReadonlyMap<number, ScsiUnit>;

	/** @param units - by their numbers, ascending */
	constructor(units: readonly ScsiUnit[]) {
		this.units = units;
		this.#byLun = new Map(units.map((unit) => [unit.facts.lun, unit]));
	}

	/** The unit of a number, if the initiator sees it. */
	find(lun: number): ScsiUnit | undefined {
		const found = this.#byLun.get(lun);
		return found?.isAttached === true ? found : undefined;
	}

	/** Does what a command of the unit `lun` asks for, and ends it, now or later. */
	execute(lun: number, request: ScsiRequest): void {
		const unit = this.find(lun);
		if (request.cdb.opcode === Opcode.REPORT_LUNS) this.#reportLuns(unit, request);
		else if (unit !== undefined) unit.execute(request);
		else noUnit(request);
	}

	/** SPC-4, 6.33: on every unit, there or not. */
	#reportLuns(unit: ScsiUnit | undefined, request: ScsiRequest): void {
		request.begin({hasDescriptors: unit?.hasDescriptors === true, requestEnded() {}});
		const {cdb} = request;
		const [which, most] = [cdb.byte(2), cdb.u32(6)];
		const [addressable, wellKnown, all] = [0, 1, 2];
		const leastRoom = 16;
		if ((which !== addressable && which !== wellKnown && which !== all) || most < leastRoom) {
			request.fail(Senses.INVALID_FIELD);
			return;
		}
		// Who reads this learns what it was to be told of.
		for (const {facts} of this.units)
			if ((facts.state.attentions & Attention.UNITS) !== 0)
				facts.locked(() => {
					facts.state.attentions &= ~Attention.UNITS;
				});
		const luns = which === wellKnown ? [] : this.units.filter(({isAttached}) => isAttached);
		const header = new Uint8Array(8);
		new DataView(header.buffer).setUint32(0, 8 * luns.length);
		request.give(concatBytes(header, ...luns.map(({facts}) => Uint8Array.of(0, facts.lun, 0, 0, 0, 0, 0, 0))), most);
	}
}

/** What a target says of a unit that is not there (SPC-4, 6.6.2 and 6.39). */
function noUnit(request: ScsiRequest): void {
	const {cdb} = request;
	request.begin(absent);
	const isStandard = (cdb.byte(1) & 1) === 0 && cdb.byte(2) === 0;
	if (cdb.opcode === Opcode.INQUIRY && isStandard) request.give(absentInquiry(), cdb.u16(3));
	else if (cdb.opcode === Opcode.REQUEST_SENSE)
		request.give(encodeSense(Senses.NO_SUCH_UNIT, (cdb.byte(1) & 1) !== 0), cdb.byte(4));
	else request.fail(Senses.NO_SUCH_UNIT);
}

import {inquiryData, vitalPage} from './identification.ts';
import {modeSelect, modeSense} from './mode-pages.ts';
import {Opcode} from './opcodes.ts';
import type {ScsiRequest} from './scsi-request.ts';
import type {ScsiCommand, ScsiUnit} from './scsi-unit.ts';
import {encodeSense, Senses} from './sense.ts';
import {takeAttention} from './unit-state.ts';

/** Commands of every unit (SPC-4, 6). */
export const primaryCommands: readonly (readonly [opcode: number, command: ScsiCommand])[] = [
	[Opcode.TEST_UNIT_READY, {needsMedium: true, run: (_unit, request) => request.good()}],
	[Opcode.REQUEST_SENSE, {isUnattended: true, run: requestSense}],
	[Opcode.INQUIRY, {isUnattended: true, run: inquiry}],
	[Opcode.MODE_SENSE_6, {run: (unit, request) => modeSense(unit, request, false)}],
	[Opcode.MODE_SENSE_10, {run: (unit, request) => modeSense(unit, request, true)}],
	[Opcode.MODE_SELECT_6, {run: (unit, request) => modeSelect(unit, request, false)}],
	[Opcode.MODE_SELECT_10, {run: (unit, request) => modeSelect(unit, request, true)}],
	[Opcode.SEND_DIAGNOSTIC, {run: sendDiagnostic}],
];

/** 6.39: tells of what a command would be failed with, and then of nothing. */
function requestSense(unit: ScsiUnit, request: ScsiRequest): void {
	const {cdb} = request;
	const {state, locked} = unit.facts;
	const hasDescriptors = (cdb.byte(1) & 1) !== 0;
	const attention = state.attentions === 0 ? undefined : locked(() => takeAttention(state));
	const sense = attention ?? unit.mediumFault ?? Senses.NONE;
	request.give(encodeSense(sense, hasDescriptors), cdb.byte(4));
}

/** 6.6. */
function inquiry(unit: ScsiUnit, request: ScsiRequest): void {
	const {cdb} = request;
	const [isVital, page, most] = [(cdb.byte(1) & 1) !== 0, cdb.byte(2), cdb.u16(3)];
	const data = isVital ? vitalPage(unit, page) : page === 0 ? inquiryData(unit.facts.kind) : undefined;
	if (data === undefined || (cdb.byte(1) & ~1) !== 0) request.fail(Senses.INVALID_FIELD);
	else request.give(data, most);
}

/** 6.42: the unit tests itself by being here; there are no other tests. */
function sendDiagnostic(_unit: ScsiUnit, request: ScsiRequest): void {
	const selfTest = 0x04;
	const isSelfTest = (request.cdb.byte(1) & ~0x03) === selfTest && request.cdb.u16(3) === 0;
	if (isSelfTest) request.good();
	else request.fail(Senses.INVALID_FIELD);
}

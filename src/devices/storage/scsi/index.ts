export {mostTransferBytes} from './identification.ts';
export {ScsiRequest} from './scsi-request.ts';
export {mostLun, type ScsiTarget} from './scsi-target.ts';
export {
	mostUnits,
	ScsiUnits,
	type UnitConfig,
	type UnitsHost,
	unitPlaces,
	unitSavedParts,
	unitsBytes,
} from './scsi-units.ts';
export {mostSenseBytes, ScsiStatus} from './sense.ts';
export {
	attachUnit,
	commandUnit,
	detachUnit,
	ejectMedium,
	insertMedium,
	refusesUnit,
	type UnitCommand,
} from './unit-commands.ts';
export {resetUnit, UnitEvent, UnitFlag, UnitState} from './unit-state.ts';

export {checkDoorbells, mostQueues} from './check-doorbells.ts';
export {
	type BackEndDoorbell,
	type DoorbellBackEnd,
	type DoorbellPlace,
	DoorbellTable,
	DoorbellTableState,
	doorbellEntries,
	type WantedDoorbell,
} from './doorbell-table.ts';
export {DoorbellTarget} from './doorbell-target.ts';

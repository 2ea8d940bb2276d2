export {diskError} from './errors.ts';
export {
	createImage,
	type Format,
	type FormatName,
	formatNames,
	formatOf,
	formatSaid,
	formats,
	type NewImage,
	saysFixed,
} from './formats.ts';
export {type OpenDisk, type OpenedDisk, openDisk} from './open-disk.ts';

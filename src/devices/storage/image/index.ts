export type {
	Allocation,
	BackingReference,
	CheckResult,
	DiskImage,
	Extent,
	ImageFacts,
	MappedRun,
	Repair,
	RunUse,
	Target,
} from './disk-image.ts';
export {RunKind} from './disk-image.ts';
export {imageError} from './errors.ts';
export {appendExtent, appendTarget, byParts, mostExtents, wholeBlocks} from './extents.ts';
export {Faults} from './faults.ts';
export {createHostFile, HostImageFile, openHostFile} from './host-image-file.ts';
export type {FileRange, ImageFile} from './image-file.ts';
export {type Run, readExtent, readImage, runsOf, writeImage, writeZeros} from './read-write.ts';
export {InFlight, Turns} from './turns.ts';

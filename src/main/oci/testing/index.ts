export {
	descriptorOf,
	digestOf,
	layoutFiles,
	type MadeBlob,
	type MadeImage,
	type MadeParts,
	makeBlob,
	makeImage,
	writeLayout,
} from './make-image.ts';
export {hasOciPrograms, ociProgram, pushImage, realRegistry} from './real-registry.ts';

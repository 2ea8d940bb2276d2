export {buildDebianImage, checkNames, type DebianImageBuild, type DebianMirror} from './build-debian-image.ts';
export {packCpio} from './cpio.ts';
export {
	type DebianImageConfig,
	type DebianImageFiles,
	type DebianImagePlan,
	type DebianRoot,
	type ImageOperation,
	type ImageStep,
	kernelParts,
	makeDebianImage,
	makeDebianRoot,
	planDebianImage,
	unpackAll,
} from './debian-image.ts';
export {addBusybox, addConsole} from './initrd.ts';
export {Kernel} from './kernel.ts';
export {writeDisk, writeInitrd} from './output-files.ts';
export {type UnpackedPackage, Unpacker} from './unpack.ts';

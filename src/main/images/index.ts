export {packCpio} from './cpio.ts';
export {
	type DebianImageConfig,
	type DebianImageFiles,
	type DebianImagePlan,
	kernelParts,
	makeDebianImage,
	planDebianImage,
	unpackAll,
	writeDisk,
	writeInitrd,
} from './debian-image.ts';
export {addBusybox, addConsole} from './initrd.ts';
export {Kernel} from './kernel.ts';
export {type UnpackedPackage, Unpacker} from './unpack.ts';

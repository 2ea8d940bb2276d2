export {
	checkDisk,
	commitDisk,
	convertDisk,
	createDisk,
	diskInfo,
	type ImageInfo,
	type ImagePath,
	resizeDisk,
	type WantedImage,
} from './disk-images.ts';

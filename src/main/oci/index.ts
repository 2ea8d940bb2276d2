export {inCache, ociError} from './errors.ts';
export {emptyConfig, type ImageConfig} from './image-config.ts';
export {parseImageName} from './image-name.ts';
export {ImageStore, type StoredName} from './image-store.ts';
export {
	type ImageFacts,
	inspectImage,
	listImages,
	loadImage,
	pruneImages,
	pullImage,
	type Removed,
	removeImage,
} from './manage-images.ts';
export {type ImageRequest, type OpenedImage, type OpenOperation, type OpenStep, openImage} from './open-image.ts';
export {rootKey, rootOfTree} from './root-disk.ts';

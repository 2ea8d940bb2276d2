export {emptyConfig, type ImageConfig} from './image-config.ts';
export {type ImageRequest, type OpenedImage, type OpenOperation, type OpenStep, openImage} from './open-image.ts';

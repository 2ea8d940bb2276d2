export {createRaw, openRaw, RawImage} from './raw-image.ts';

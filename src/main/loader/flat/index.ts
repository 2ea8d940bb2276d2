export {loadFlat} from './flat.ts';

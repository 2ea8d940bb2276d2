export {plainBytes} from './plain-bytes.ts';

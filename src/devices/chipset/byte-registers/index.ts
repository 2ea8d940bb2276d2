export {type ByteRegisters, byteFront} from './byte-front.ts';

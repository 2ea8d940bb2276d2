export {readAllRegisters, readRegister, writeAllRegisters, writeRegister} from './register-bytes.ts';
export {type Register, registerFile} from './register-file.ts';
export {targetXml} from './target-xml.ts';

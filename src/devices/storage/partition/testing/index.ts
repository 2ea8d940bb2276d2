export {type GptEntry, gptDisk, signGptHeader} from './gpt-disk.ts';

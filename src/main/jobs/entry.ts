export {prefetch} from './jobs.ts';

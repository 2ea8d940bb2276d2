export {BarPagesState, BarPagesTable, type PagesBackEnd, pagesEntries, type WantedPages} from './bar-pages-table.ts';
export {allocatePages, type HostPages, rangeOf} from './host-pages.ts';

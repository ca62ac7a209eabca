"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
//# sourceMappingURL=IRobokassaReceiptItem.js.map
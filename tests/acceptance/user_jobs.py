"""Handlers of a user that the scenarios have at work."""

from typing import Literal

from pydantic import BaseModel, Field

from scheduler.handlers import JobContext, PermanentError, RetryLater, handler


class Order(BaseModel):
    quantity: int = Field(gt=0)
    stock: Literal["here", "later", "never"] = "here"


class Parcel(BaseModel):
    items: int


@handler("order.pack")
async def pack(order: Order, context: JobContext) -> Parcel:
    if order.stock == "never":
        raise PermanentError("nobody makes it any more")
    if order.stock == "later" and context.attempt == 1:
        raise RetryLater("it arrives soon", delay=3)
    return Parcel(items=order.quantity)


@handler("order.weigh")
async def weigh(order: Order, context: JobContext) -> float:
    return float("inf")
